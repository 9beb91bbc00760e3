/*
 * The place that a request takes at the door while it is in progress. An answer that goes on for hours gives it up, when it is bounded
 * by itself.
 */

const places = new WeakMap<object, (() => void)[]>();

/** Notes how a place of a request is given up; it may be called when that was done already. */
export function rememberPlace(request: object, leave: () => void): void {
  const known = places.get(request);
  if (known === undefined) places.set(request, [leave]);
  else known.push(leave);
}

/** Gives up the places of a request before it is answered. */
export function givePlaceUp(request: object): void {
  for (const leave of places.get(request) ?? []) leave();
  places.delete(request);
}
