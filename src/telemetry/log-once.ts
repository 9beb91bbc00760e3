/**
 * Says once for each key whether something is new, so that a fault that repeats with every message is logged
 * once. Remembers a bounded number of keys: the one seen longest ago is forgotten first, and is new again after.
 */
export class LogOnce {
  readonly #capacity: number;
  readonly #seen = new Set<string>();

  constructor(capacity = 1000) {
    this.#capacity = capacity;
  }

  /** True the first time; `logOnce.isNew(key) && logger.warn(…)`. */
  isNew(key: string): boolean {
    const known = this.#seen.delete(key);
    if (!known && this.#seen.size >= this.#capacity) {
      for (const oldest of this.#seen) {
        this.#seen.delete(oldest);
        break;
      }
    }
    this.#seen.add(key);
    return !known;
  }
}
