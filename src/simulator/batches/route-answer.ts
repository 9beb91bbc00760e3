import type { Refusal } from '../provider-errors.ts';

/** A request to the routes of files and batches, read whole. */
export interface RouteQuestion {
  readonly method: string;
  readonly path: string;
  /** The path after the one of the resource, by its slashes. */
  readonly parts: readonly string[];
  readonly searchParams: URLSearchParams;
  readonly contentType: string;
  /** Where the client reached the simulator, without a path: "http://127.0.0.1:4010". */
  readonly origin: string;
  readonly bytes: Buffer;
}

/** What is answered. */
export type RouteAnswer =
  | { readonly kind: 'json'; readonly body: unknown }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'content'; readonly bytes: Buffer }
  /** It was done, and the connection breaks before the answer. */
  | { readonly kind: 'cut' };

export const answer = (body: unknown): RouteAnswer => ({ kind: 'json', body });
export const refused = (refusal: Refusal): RouteAnswer => ({ kind: 'refused', refusal });
export const cut: RouteAnswer = { kind: 'cut' };

/** The items of a list after one of them, and whether there are more. */
export function pageOf<Item>(
  items: readonly Item[],
  idOf: (item: Item) => string,
  { after, limit }: { readonly after: string | null; readonly limit: number },
): { items: Item[]; hasMore: boolean } {
  const start = after === null ? 0 : items.findIndex((item) => idOf(item) === after) + 1;
  const page = items.slice(start, start + Math.max(1, limit || 1));
  return { items: page, hasMore: start + page.length < items.length };
}
