/*
 * The header Prefer (RFC 7240), as far as requests heed it: `respond-async` and `wait=N`. What is not understood is passed over, as the RFC wants it.
 */

/** What a client prefers. */
export interface Preferences {
  /** It wants an answer at once, or after `waitSeconds`. */
  readonly isAsync: boolean;
  /** How long it would wait for the end, in whole seconds. */
  readonly waitSeconds: number | undefined;
}

const maxDigits = 9;

export function readPreferences(header: string | undefined): Preferences {
  let isAsync = false;
  let waitSeconds: number | undefined;
  for (const part of (header ?? '').split(',')) {
    const [preference = ''] = part.split(';');
    const [name = '', value] = preference.split('=', 2).map((text) => text.trim());
    if (name.toLowerCase() === 'respond-async') isAsync = true;
    // Of several the first counts.
    if (name.toLowerCase() === 'wait') waitSeconds ??= secondsOf(value);
  }
  return { isAsync, waitSeconds };
}

function secondsOf(value: string | undefined): number | undefined {
  const digits = value?.replaceAll('"', '') ?? '';
  return /^\d+$/.test(digits) && digits.length <= maxDigits ? Number(digits) : undefined;
}

/** The header Preference-Applied; undefined where nothing was applied. */
export function preferenceApplied(
  { isAsync }: Preferences,
  waitedSeconds: number | undefined,
): string | undefined {
  const applied = [
    ...(isAsync ? ['respond-async'] : []),
    ...(waitedSeconds === undefined ? [] : [`wait=${waitedSeconds}`]),
  ];
  return applied.length === 0 ? undefined : applied.join(', ');
}
