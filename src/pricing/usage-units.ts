/*
 * What providers bill beside tokens: one for each use of a tool that they run themselves. A use whose price is not
 * known is never taken for free: the call keeps its upper bound, and the use is named.
 */

/** Every kind of use that is counted. */
export const usageUnits = [
  /** A search of the web, also one that grounds an answer. */
  'web_search',
  /** A page of the web that was read. */
  'web_fetch',
  /** A search in stored files or collections. */
  'file_search',
  /** A run of code in the provider's sandbox. */
  'code_execution',
  'image_generation',
  'maps_search',
  /** A search of posts on X. */
  'x_search',
  /** A unit of ranking documents. */
  'rerank_search',
  /** A second of sound that is not counted in tokens. */
  'audio_second',
  /** A tool that this list does not know. */
  'other_tool',
] as const;

export type UsageUnit = (typeof usageUnits)[number];

/** Counts of uses; one that is absent is 0. */
export type UnitCounts = Readonly<Partial<Record<UsageUnit, number>>>;

/** Counts as a JSON object; undefined when there are none. */
export function unitCountsText(counts: UnitCounts | undefined): string | undefined {
  const listed = usageUnits.flatMap((unit) => {
    const count = counts?.[unit] ?? 0;
    return count > 0 ? [`"${unit}":${count}`] : [];
  });
  return listed.length === 0 ? undefined : `{${listed.join(',')}}`;
}
