/**
 * How often each request was seen, by its hash, so that a retry draws its fault anew. Holds a bounded number of
 * hashes and forgets the oldest; a forgotten request counts from one again.
 */
export class Sightings {
  readonly #counts: Map<string, number>;
  readonly #maxHashes: number;

  constructor(maxHashes: number, counts: ReadonlyMap<string, number> = new Map()) {
    this.#maxHashes = maxHashes;
    this.#counts = new Map(counts);
  }

  /** Counts one more sighting of the hash and returns how many there were, this one included. */
  see(hash: string): number {
    const count = (this.#counts.get(hash) ?? 0) + 1;
    this.#counts.set(hash, count);
    if (this.#counts.size > this.#maxHashes) {
      const oldest = this.#counts.keys().next();
      if (!oldest.done) this.#counts.delete(oldest.value);
    }
    return count;
  }
}
