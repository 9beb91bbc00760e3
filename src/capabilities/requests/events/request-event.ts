import { z } from 'zod';

/*
 * What is told of a request while it is worked on. The log of a request holds these; it is a view of the ledger, which alone says how the
 * request ended. Text is told by where it stands in its answer, so that whoever reads drops what comes twice and sees what is missing.
 */

const about = { stage: z.string(), message: z.string() };
/** `run`: how often the message was handed out, so that text of a run that was lost is told from that of its successor. */
const ofRun = { ...about, run: z.int() };
const delta = {
  ...ofRun,
  step: z.string(),
  /** Which published answer of the run, from 1. */
  answer: z.int(),
  /** Where the text begins within the answer's text, or within its reasoning, in UTF-16 code units. */
  offset: z.int(),
  text: z.string(),
};

/** How a stage's run of a message ended; only the first three are ends of the message. */
export const stageOutcomes = [
  'completed',
  'cancelled',
  'dead_lettered',
  'retried',
  'waits',
  'released',
] as const;

/** One event, as the log keeps it. */
export const requestEventSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('stage-started'), ...ofRun, attempt: z.int() }),
  /** The text of the message's answers begins anew; what was told of it before is void. */
  z.object({ kind: z.literal('attempt-restarted'), ...ofRun, attempt: z.int() }),
  z.object({ kind: z.literal('progress'), ...ofRun, share: z.number() }),
  z.object({ kind: z.literal('text-delta'), ...delta }),
  z.object({ kind: z.literal('reasoning-delta'), ...delta }),
  z.object({
    kind: z.literal('stage-ended'),
    ...ofRun,
    outcome: z.enum(stageOutcomes),
    code: z.string().optional(),
  }),
  /** A call was settled. `usd`: absent where its cost is not known. */
  z.object({
    kind: z.literal('usage'),
    ...about,
    step: z.string(),
    model: z.string(),
    tokens: z.int(),
    usd: z.string().optional(),
  }),
  /** Events before this one are lost: they were too many, or their store was away. */
  z.object({ kind: z.literal('events-lost') }),
  z.object({ kind: z.enum(['completed', 'failed', 'cancelled']) }),
]);

export type RequestEvent = z.output<typeof requestEventSchema>;
export type DeltaEvent = Extract<RequestEvent, { kind: 'text-delta' | 'reasoning-delta' }>;

/** An event with its place in the log. */
export interface LoggedEvent {
  readonly id: number;
  readonly event: RequestEvent;
}

/** The event of an entry; undefined for one that this version does not know. */
export function eventOfEntry(data: string): RequestEvent | undefined {
  try {
    return requestEventSchema.safeParse(JSON.parse(data)).data;
  } catch {
    // Somebody else's writing: there is nothing to be told of it.
    return undefined;
  }
}

/** An event that nothing comes after. */
export type FinalEvent = Extract<RequestEvent, { kind: 'completed' | 'failed' | 'cancelled' }>;

/** Whether nothing comes after it. */
export function isFinal<Event extends { readonly kind: string }>(
  event: Event,
): event is Extract<Event, { kind: FinalEvent['kind'] }> {
  const { kind } = event;
  return kind === 'completed' || kind === 'failed' || kind === 'cancelled';
}
