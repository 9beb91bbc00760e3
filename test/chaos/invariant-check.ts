/** Something that must not be: which message or call, and what is wrong with it. */
export interface Violation {
  /** The message concerned, when there is one: its history is shown. */
  readonly messageId: string | undefined;
  readonly what: string;
}

export interface InvariantResult {
  readonly name: string;
  readonly says: string;
  readonly checks: number;
  readonly violations: readonly Violation[];
  /** Why it was not checked; absent when it was. */
  readonly unchecked?: string;
  /** What part of it could not be judged. */
  readonly note?: string;
}

/** Counts what was compared, and keeps what did not hold. */
export class InvariantCheck {
  readonly #name: string;
  readonly #says: string;
  readonly #violations: Violation[] = [];
  #checks = 0;

  constructor(name: string, says: string) {
    this.#name = name;
    this.#says = says;
  }

  expect(holds: boolean, messageId: string | undefined, what: () => string): void {
    this.#checks += 1;
    if (!holds) this.#violations.push({ messageId, what: what() });
  }

  get result(): InvariantResult {
    return { name: this.#name, says: this.#says, checks: this.#checks, violations: this.#violations };
  }
}

export function groupedBy<Item>(
  items: readonly Item[],
  keyOf: (item: Item) => string | null,
): ReadonlyMap<string, readonly Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    if (key === null) continue;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
