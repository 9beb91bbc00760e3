import Negotiator from 'negotiator';

/**
 * The offered media type that the Accept header likes best (RFC 9110, section 12.5.1); among equals the one that it names more
 * precisely, then earlier, then the first offered. Undefined when it takes none of them. Without a header it takes all.
 */
export function acceptedFormat<Type extends string>(
  accept: string | undefined,
  offered: readonly Type[],
): Type | undefined {
  if (accept === undefined || accept.trim() === '') return offered[0];
  const [best] = new Negotiator({ headers: { accept: withoutParameters(accept) } }).mediaTypes(offered);
  return offered.find((type) => type === best);
}

/**
 * The header without parameters but quality: to a negotiator `text/csv; charset=utf-8` is another type than `text/csv`, and
 * scrapers ask for versions and escapings that they can do without.
 */
function withoutParameters(accept: string): string {
  return accept.replaceAll(/;(?!\s*q\s*=)[^;,"]*(?:"(?:[^"\\]|\\.)*")?[^;,]*/gi, '');
}
