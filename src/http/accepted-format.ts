/*
 * Content negotiation over a few offered media types (RFC 9110, section 12.5.1): the most specific range that covers a
 * type decides its quality; among equals the first offered wins.
 */

interface MediaRange {
  readonly range: string;
  readonly quality: number;
}

/** The offered type that the Accept header likes best; undefined when it takes none of them. */
export function acceptedFormat<Type extends string>(
  accept: string | undefined,
  offered: readonly Type[],
): Type | undefined {
  if (accept === undefined || accept.trim() === '') return offered[0];
  const ranges = accept.split(',').map((part) => mediaRange(part));
  let best: { type: Type; quality: number } | undefined;
  for (const type of offered) {
    const quality = qualityOf(type, ranges);
    if (quality > (best?.quality ?? 0)) best = { type, quality };
  }
  return best?.type;
}

function mediaRange(part: string): MediaRange {
  const [range = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
  const quality = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
  const value = quality === undefined ? 1 : Number(quality);
  return { range, quality: value >= 0 && value <= 1 ? value : 0 };
}

function qualityOf(type: string, ranges: readonly MediaRange[]): number {
  const covering = [type, `${type.split('/')[0]}/*`, '*/*'];
  for (const range of covering) {
    const match = ranges.find((candidate) => candidate.range === range);
    if (match !== undefined) return match.quality;
  }
  return 0;
}
