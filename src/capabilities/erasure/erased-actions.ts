/*
 * The customer's name in one entry of the audit. It is found by the entry's structure, never as a part of a longer text: a
 * customer may be called ":", or "root" as a key is. An entry is about the customer when its target is "customer NAME", or
 * when its detail names it under `customer` or as the value of a pause on customers.
 */

/** An entry as it stands, its detail as JSON text. */
export interface AuditEntry {
  readonly target: string;
  readonly reason: string;
  readonly detail: string;
}

/** Whose name goes, and what stands for it. With a team, only entries about that team's things change. */
export interface ErasedName {
  readonly customer: string;
  readonly team?: string;
  readonly pseudonym: string;
}

/** The entry without the name; undefined when it is not about the customer. */
export function erasedAction(entry: AuditEntry, name: ErasedName): AuditEntry | undefined {
  const { customer, team, pseudonym } = name;
  const before = JSON.parse(entry.detail) as unknown;
  const isOwn = team === undefined || (isObject(before) && before['team'] === team);
  const after = withoutName(before, name, isOwn);
  const isTarget = team === undefined && entry.target === `customer ${customer}`;
  if (!isTarget && JSON.stringify(after) === JSON.stringify(before)) return undefined;
  const detail = isOwn ? withoutNameInTexts(after, name) : after;
  return {
    target: isTarget ? `customer ${pseudonym}` : entry.target,
    reason: isOwn ? withoutWord(entry.reason, name) : entry.reason,
    detail: JSON.stringify(detail),
  };
}

function withoutName(value: unknown, name: ErasedName, isOwn: boolean): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutName(item, name, isOwn));
  if (!isObject(value)) return value;
  const isSelected = isOwn || isOnly(value['team'], name.team);
  const isPause = value['scope'] === 'customer';
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      isSelected && (key === 'customer' || (key === 'value' && isPause))
        ? replaced(item, name)
        : withoutName(item, name, isOwn),
    ]),
  );
}

/** Whole strings that are the name, at any depth. */
function replaced(value: unknown, name: ErasedName): unknown {
  if (typeof value === 'string') return value === name.customer ? name.pseudonym : value;
  if (Array.isArray(value)) return value.map((item) => replaced(item, name));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, replaced(item, name)]));
}

/** In an entry about the customer: the reasons of a pause that was lifted or replaced, which operators wrote. */
function withoutNameInTexts(detail: unknown, name: ErasedName): unknown {
  if (!isObject(detail)) return detail;
  const { placedFor, from } = detail;
  return {
    ...detail,
    ...(typeof placedFor === 'string' ? { placedFor: withoutWord(placedFor, name) } : {}),
    ...(isObject(from) ? { from: withoutNameInTexts(from, name) } : {}),
  };
}

/** The text without the name where it stands alone, not as a part of a word. */
export function withoutWord(text: string, { customer, pseudonym }: ErasedName): string {
  const escaped = customer.replaceAll(/[\\^$.*+?()[\]{}|/]/gu, String.raw`\$&`);
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}_-])${escaped}(?![\\p{L}\\p{N}_-])`, 'gu');
  return text.replace(pattern, () => pseudonym);
}

function isOnly(value: unknown, team: string | undefined): boolean {
  const texts = typeof value === 'string' ? [value] : isObject(value) ? Object.values(value) : value;
  return Array.isArray(texts) && texts.length > 0 && texts.every((text) => text === team);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
