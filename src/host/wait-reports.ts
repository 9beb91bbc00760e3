import { z } from 'zod';
import type { StatusReading, WaitExplanation } from '../capabilities/status-part.ts';
import type { Waiting } from '../engine/ledger/waits.ts';
import type { ErrorCodeEntry } from '../kernel/error-code-entry.ts';
import { closedNames } from './closed-names.ts';

/* Why work waits, in words: what the rows say, joined with what the engine and its capabilities know of it. */

const reasons = [
  ...closedNames.parkReasons,
  'retry_after',
  'retry',
  'order',
  'join',
  'event',
  'start',
  'replay',
  'worker',
  'other',
] as const;

export const waitSchema = z.object({
  reason: z
    .enum(reasons)
    .describe('The kind of what is waited for; "circuit" is a model\'s circuit, "worker" a free worker.'),
  about: z
    .string()
    .optional()
    .describe('Which one: a pause, a budget, "provider/model", the code of a failure, a type, a stage.'),
  messages: z.int().describe('Messages that wait for it; 0 where calls of running messages do.'),
  isAtLeast: z.boolean().describe('True when there are more, which were not counted.'),
  stages: z.array(z.string()),
  since: z.iso.datetime().optional().describe('Since when the first of them waits.'),
  until: z.iso.datetime().optional().describe('When it ends, or is tried again, by itself.'),
  why: z.string(),
  change: z.string().describe('What would let them go on.'),
});

export type WaitReport = z.output<typeof waitSchema>;
type Reason = WaitReport['reason'];

export interface WaitFacts {
  readonly waits: readonly Waiting[];
  /** What the capabilities know. */
  readonly readings: readonly StatusReading[];
  /** What is known of the codes of failures. */
  readonly errors: Readonly<Partial<Record<string, ErrorCodeEntry>>>;
  /** Whether it is known that no host runs. */
  readonly hasNoHost: boolean;
}

/** Every reason for which work waits, those with the most messages first. */
export function explainWaits(facts: WaitFacts): readonly WaitReport[] {
  const reports = [...facts.waits.map((wait) => reportOf(wait, explain(wait, facts))), ...unnoted(facts)];
  return reports.toSorted((a, b) => b.messages - a.messages || (a.reason < b.reason ? -1 : 1));
}

function reportOf(
  wait: Omit<Waiting, 'since' | 'until'> & Partial<Pick<Waiting, 'since' | 'until'>>,
  explanation: WaitExplanation,
): WaitReport {
  const { messages, isAtLeast, stages } = wait;
  const { about = wait.about, why, change } = explanation;
  const since = explanation.since ?? wait.since;
  const until = explanation.until ?? wait.until;
  return {
    reason: isReason(wait.reason) ? wait.reason : 'other',
    ...(about === undefined ? {} : { about }),
    messages,
    isAtLeast,
    stages: [...stages],
    ...(since === undefined ? {} : { since: since.toISOString() }),
    ...(until === undefined ? {} : { until: until.toISOString() }),
    why,
    change,
  };
}

function explain(wait: Waiting, { readings, errors, hasNoHost }: WaitFacts): WaitExplanation {
  for (const reading of readings) {
    const explanation = reading.explain?.(wait);
    if (explanation !== undefined) return explanation;
  }
  const { reason, about = '' } = wait;
  switch (reason) {
    case 'retry':
      return ofFailure(
        errors[about],
        'The last attempt failed, and the pause before the next one is not over.',
      );
    case 'retry_after':
      return ofFailure(errors[about], 'The last attempt failed, and the provider said how long to wait.');
    case 'version':
      return {
        why: `${about} is newer than any version that the running processes know.`,
        change: 'Start processes of the newer program.',
      };
    case 'order':
      return {
        why: 'An earlier message of the same key has not ended.',
        change: 'The end of that one: completed, dead-lettered or cancelled.',
      };
    case 'join':
      return {
        why: 'Messages that were emitted with it have not ended, or not enough of them.',
        change: 'The ends of those: completed, dead-lettered or cancelled; or the time limit of the join.',
      };
    case 'event':
      return {
        why: 'An outside event, or a person, is to give them their data.',
        change: 'A completion by token (POST /v1/waits/{token}), or the time limit of the wait.',
      };
    case 'start':
      return {
        why: 'They were sent to start later.',
        change: 'Time alone; "millrace messages retry" with their ids starts them now.',
      };
    case 'replay':
      return { why: 'They were replayed at a rate, and their turn comes.', change: 'Time alone.' };
    case 'worker':
      return hasNoHost
        ? {
            why: 'They are due, and no host runs on this installation.',
            change: 'Start one: "millrace start", or the application that Millrace is part of.',
          }
        : {
            why: 'They are due, and no worker has taken them yet.',
            change:
              'A free worker of the stage: a running process that has it, a higher worker.concurrency, or more processes.',
          };
    default:
      return { why: 'They were put off.', change: 'Time alone.' };
  }
}

function ofFailure(entry: ErrorCodeEntry | undefined, why: string): WaitExplanation {
  return entry === undefined
    ? { why, change: 'Time alone.' }
    : { why: `${why} ${entry.what}`, change: `Time; and if it comes again: ${entry.todo}` };
}

/** What stops work though no message's row says so. */
function unnoted({ waits, readings }: WaitFacts): readonly WaitReport[] {
  return readings
    .flatMap((reading) => reading.unnoted ?? [])
    .filter(({ reason, name }) => !waits.some((wait) => wait.reason === reason && wait.about === name))
    .map(({ name, explanation, ...wait }) =>
      reportOf({ ...wait, about: name, isAtLeast: false }, explanation),
    );
}

function isReason(text: string): text is Reason {
  return waitSchema.shape.reason.safeParse(text).success;
}
