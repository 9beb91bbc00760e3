/**
 * How much of something that all callers have in common each key has in progress, up to its share. Only what is in progress is
 * remembered. Callers without a key have no share and are not counted.
 */
export class KeyShares {
  /** The most that one key may have. */
  readonly share: number;
  readonly #inHand = new Map<string, number>();

  constructor(share: number) {
    this.share = share;
  }

  /** Takes so much for the key; takes nothing and answers false when it would have more than its share. */
  tryToTake(key: string | undefined, count: number): boolean {
    if (key === undefined) return true;
    const inHand = (this.#inHand.get(key) ?? 0) + count;
    if (inHand > this.share) return false;
    this.#inHand.set(key, inHand);
    return true;
  }

  give(key: string | undefined, count: number): void {
    if (key === undefined) return;
    const inHand = (this.#inHand.get(key) ?? 0) - count;
    if (inHand > 0) this.#inHand.set(key, inHand);
    else this.#inHand.delete(key);
  }
}
