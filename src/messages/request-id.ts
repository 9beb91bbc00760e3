import { newId, type Uuid } from '../kernel/ids.ts';

/*
 * A request has the id of the message that it begins with, its root message. The id carries a mark, so that a worker knows from the id of a
 * tree alone whether somebody may listen to it, without asking anybody:
 *
 *   tttttttt-tttt-8a5e-v7rr-rrrrrrrrrrrr     t time in milliseconds, 8 the version of UUIDs, a5e and 7 the mark, v the variant, r random
 *
 * One of 65,536 derived ids carries it as well: then somebody looks for a request and finds none.
 */

const versionMark = '8a5e-';
const variantMark = '7';

/** A new id of a request, time-ordered, with 58 random bits (UUID version 8). */
export function newRequestId(now: Date): Uuid {
  const id = newId(now);
  return `${id.slice(0, 14)}${versionMark}${id.slice(19, 20)}${variantMark}${id.slice(21)}`;
}

/** Whether a tree with this root may belong to a request. Never false for one that does. */
export function mayBeRequestId(id: Uuid): boolean {
  return id.startsWith(versionMark, 14) && id.startsWith(variantMark, 20);
}
