import type { Uuid } from '../../../kernel/ids.ts';

/*
 * Which of the items that are under way are looked at for their end. They begin in their order and mostly end in it, so each turn looks at
 * the first of them, twice as many as ended there the last time. Those behind are looked at in slices, turn after turn, so that each is
 * within some turns: an item that ended before its time, or in another process, waits for that, and nothing else does. A slice of which many
 * have ended is followed by a larger one. A batch that is small, or near its end, is looked at as a whole.
 */

/** Where an item stands, in the order in which they are looked at. */
export interface ItemPlace {
  readonly batchId: Uuid;
  readonly chunk: number;
  readonly position: number;
}

/** Before the first item of all. */
export const firstPlace: ItemPlace = {
  batchId: '00000000-0000-0000-0000-000000000000',
  chunk: 0,
  position: 0,
};

/** What is looked at next. */
export interface LookPlan {
  /** How many of the first items. */
  readonly front: number;
  /** How many of those behind. */
  readonly slice: number;
  /** The last item behind that was looked at. */
  readonly after: ItemPlace;
  /** How many items were looked at behind since they were last begun with; and how many there are, as it was then. */
  readonly swept: number;
  readonly behind: number;
}

/** What a look has found. */
export interface Looked {
  /** How many it looked at. */
  readonly looked: number;
  readonly ended: number;
  /** The last item that was looked at; undefined when it was the last of all. */
  readonly next: ItemPlace | undefined;
}

/** No look is larger, and none at the first items smaller. */
export const lookLimits = { most: 2000, leastFront: 250, leastSlice: 50 } as const;
/** In as many turns every item behind is looked at. */
const turnsOfSweep = 10;

export const firstLooks: LookPlan = {
  front: lookLimits.leastFront,
  slice: lookLimits.leastSlice,
  after: firstPlace,
  swept: 0,
  behind: lookLimits.most,
};

/** Where to look behind the first items, which were looked at up to `front`. */
export function placeOfSlice({ after }: LookPlan, front: ItemPlace): ItemPlace {
  return isBefore(after, front) ? front : after;
}

/** The next turn's, by what this one has found. `behind` is undefined where the first items were all. */
export function planLooks(plan: LookPlan, front: Looked, behind: Looked | undefined): LookPlan {
  const next = { ...plan, front: bounded(lookLimits.leastFront, 2 * front.ended + lookLimits.leastSlice) };
  if (behind === undefined)
    return { ...next, slice: lookLimits.leastSlice, after: firstPlace, swept: 0, behind: 0 };
  const swept = plan.swept + behind.looked;
  const isWhole = behind.next === undefined;
  const known = isWhole ? swept : Math.max(plan.behind, swept);
  const least = bounded(lookLimits.leastSlice, Math.ceil(known / turnsOfSweep));
  const wanted = 4 * behind.ended >= behind.looked ? 2 * plan.slice : Math.floor(plan.slice / 2);
  return {
    ...next,
    slice: bounded(least, wanted),
    after: behind.next ?? firstPlace,
    swept: isWhole ? 0 : swept,
    behind: known,
  };
}

/** Whether so much of what was looked at had ended that the next turn is not waited for. */
export function isWorthAnotherTurn({ looked, ended, next }: Looked, least: number): boolean {
  return next !== undefined && ended >= least && 2 * ended >= looked;
}

function bounded(least: number, wanted: number): number {
  return Math.min(lookLimits.most, Math.max(least, wanted));
}

function isBefore(one: ItemPlace, other: ItemPlace): boolean {
  if (one.batchId !== other.batchId) return one.batchId < other.batchId;
  return one.chunk === other.chunk ? one.position < other.position : one.chunk < other.chunk;
}
