/** How far back a rate looks. */
const windowMs = 5000;

interface Sample {
  readonly count: number;
  readonly atMs: number;
}

/** How fast a count grows, over the last seconds only, so that an early pause or an earlier run does not stay in it. */
export class RecentRate {
  readonly #samples: Sample[] = [];

  /** Takes the count as it is now. Answers its growth a second; undefined as long as it has not grown. */
  take(count: number, atMs: number): number | undefined {
    this.#samples.push({ count, atMs });
    // One sample older than the window stays: between them, they cover it.
    while ((this.#samples[1]?.atMs ?? Number.POSITIVE_INFINITY) <= atMs - windowMs) this.#samples.shift();
    const [oldest] = this.#samples;
    if (oldest === undefined || oldest.atMs === atMs || oldest.count === count) return undefined;
    return ((count - oldest.count) * 1000) / (atMs - oldest.atMs);
  }
}
