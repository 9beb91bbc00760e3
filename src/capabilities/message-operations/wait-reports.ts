import { z } from 'zod';
import { type ErrorCode, errorCodes } from '../../kernel/error-codes.ts';
import { describeHold } from '../../engine/ledger/hold.ts';
import type { ListedHold } from '../../engine/ledger/holds.ts';
import type { Waiting } from '../../engine/ledger/waits.ts';
import type { WaitExplanation, WaitExplanations } from '../wait-explanation.ts';

/* Why work waits, in words: what the rows say, joined with what is known of holds, circuits and limits and what capabilities tell. */

export const waitSchema = z.object({
  reason: z
    .enum([
      'hold',
      'budget',
      'breaker',
      'rate_limit',
      'retry_budget',
      'retry_after',
      'retry',
      'version',
      'order',
      'replay',
      'worker',
      'other',
    ])
    .describe('The kind of what is waited for; "breaker" is a model\'s circuit, "worker" a free worker.'),
  about: z
    .string()
    .optional()
    .describe('Which one: a hold, a budget, "provider/model", the code of a failure, a type, a stage.'),
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

/** A model whose circuit is not closed. */
interface TroubledModel {
  readonly provider: string;
  readonly model: string;
  readonly state: string;
  readonly reason: string;
  readonly changedAt: Date;
  /** Until it is tried again. */
  readonly remainingMs: number;
}

/** A model that takes no calls until a time that its provider named. */
interface BlockedModel {
  readonly provider: string;
  readonly model: string;
  readonly until: Date;
}

export interface WaitFacts {
  readonly waits: readonly Waiting[];
  readonly holds: readonly ListedHold[];
  /** What capabilities tell of what they make wait. */
  readonly explanations: WaitExplanations;
  readonly circuits: readonly TroubledModel[];
  readonly blocked: readonly BlockedModel[];
  /** Whether it is known that no host runs. */
  readonly hasNoHost?: boolean;
  readonly now: Date;
}

/** Every reason for which work waits, those with the most messages first. */
export function explainWaits(facts: WaitFacts): readonly WaitReport[] {
  const reports = [...facts.waits.map((wait) => reportOf(wait, explain(wait, facts))), ...unnoted(facts)];
  return reports.toSorted((a, b) => b.messages - a.messages || (a.reason < b.reason ? -1 : 1));
}

function reportOf(wait: Waiting, explanation: WaitExplanation): WaitReport {
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
    since: since.toISOString(),
    ...(until === undefined ? {} : { until: until.toISOString() }),
    why,
    change,
  };
}

function explain(wait: Waiting, facts: WaitFacts): WaitExplanation {
  const { reason, about = '' } = wait;
  const told = facts.explanations[reason]?.(about);
  if (told !== undefined) return told;
  switch (isReason(reason) ? reason : 'other') {
    case 'hold':
      return ofHold(facts.holds.find((hold) => hold.id === about));
    case 'breaker':
      return ofCircuit(about, facts);
    case 'rate_limit':
      return ofLimit(about, facts);
    case 'retry_budget':
      return {
        why: `Retries of calls to ${about} have used up their share of its calls.`,
        change: 'The provider answering first attempts again, or a larger models.retryBudget.',
      };
    case 'retry':
      return ofFailure(about, 'The last attempt failed, and the pause before the next one is not over.');
    case 'retry_after':
      return ofFailure(about, 'The last attempt failed, and the provider said how long to wait.');
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
    case 'replay':
      return { why: 'They were replayed at a rate, and their turn comes.', change: 'Time alone.' };
    case 'worker':
      return facts.hasNoHost === true
        ? {
            why: 'They are due, and no host runs on this installation.',
            change: 'Start one: "millrace start", or the application that Millrace is part of.',
          }
        : {
            why: 'They are due, and no worker has taken them yet.',
            change:
              'A free worker of the stage: a running process that has it, a higher worker.concurrency, or more processes.',
          };
    case 'budget':
    case 'other':
      return { why: 'They were put off.', change: 'Time alone.' };
  }
}

function ofHold(hold: ListedHold | undefined): WaitExplanation {
  if (hold === undefined) {
    return {
      why: 'An operator had stopped them; that is lifted.',
      change: 'They are released within seconds.',
    };
  }
  const { scope, value, actor, reason, createdAt } = hold;
  return {
    about: describeHold(hold),
    since: createdAt,
    why: `${actor} has stopped ${describeHold(hold)}: ${reason}`,
    change: `millrace resume ${scope}${scope === 'all' ? '' : ` ${value}`} --reason "…"`,
  };
}

function ofCircuit(model: string, { circuits, now }: WaitFacts): WaitExplanation {
  const circuit = circuits.find((one) => nameOf(one) === model);
  const change =
    'The provider answering again: probes close the circuit by themselves. A fallback takes over where one is configured.';
  if (circuit === undefined) return { why: `The circuit of ${model} was open; it is closed.`, change };
  return {
    ...(circuit.state === 'open' ? { until: new Date(now.getTime() + circuit.remainingMs) } : {}),
    since: circuit.changedAt,
    why: `The circuit of ${model} is ${circuit.state === 'open' ? 'open' : 'half open'}: ${circuit.reason}`,
    change,
  };
}

function ofLimit(model: string, { blocked }: WaitFacts): WaitExplanation {
  const block = blocked.find((one) => nameOf(one) === model);
  if (block !== undefined) return { until: block.until, ...blockText(model) };
  return {
    why: `${model} is at its limit of requests or tokens a minute.`,
    change: 'Time; or a higher limit in models.limits, if the provider grants it.',
  };
}

function ofFailure(code: string, why: string): WaitExplanation {
  const entry = isErrorCode(code) ? errorCodes[code] : undefined;
  return entry === undefined
    ? { why, change: 'Time alone.' }
    : { why: `${why} ${entry.what}`, change: `Time; and if it comes again: ${entry.todo}` };
}

/** What stops work though no message's row says so: it is in the air, or nobody has come upon it yet. */
function unnoted({ waits, holds, circuits, blocked, now }: WaitFacts): readonly WaitReport[] {
  const isNoted = (reason: Reason, about: string): boolean =>
    waits.some((wait) => wait.reason === reason && wait.about === about);
  const none = { isAtLeast: false, stages: [] };
  return [
    ...holds
      .filter(({ id }) => !isNoted('hold', id))
      .map((hold) => {
        const { about = '', why, change } = ofHold(hold);
        const stages = hold.scope === 'stage' ? [hold.value] : [];
        const since = hold.createdAt.toISOString();
        return {
          ...none,
          reason: 'hold' as const,
          about,
          messages: hold.waiting,
          stages,
          since,
          why,
          change,
        };
      }),
    ...circuits
      .filter((circuit) => !isNoted('breaker', nameOf(circuit)))
      .map((circuit) => {
        const { until, why, change } = ofCircuit(nameOf(circuit), {
          waits,
          holds,
          circuits,
          blocked,
          now,
          explanations: {},
        });
        return {
          ...none,
          reason: 'breaker' as const,
          about: nameOf(circuit),
          messages: 0,
          since: circuit.changedAt.toISOString(),
          ...(until === undefined ? {} : { until: until.toISOString() }),
          why,
          change,
        };
      }),
    ...blocked
      .filter((block) => !isNoted('rate_limit', nameOf(block)))
      .map((block) => ({
        ...none,
        reason: 'rate_limit' as const,
        about: nameOf(block),
        messages: 0,
        until: block.until.toISOString(),
        ...blockText(nameOf(block)),
      })),
  ];
}

function blockText(model: string): { readonly why: string; readonly change: string } {
  return {
    why: `The provider of ${model} asked for a pause, and calls to it wait.`,
    change: 'Time; or what the provider counts against: its quota, its limits.',
  };
}

function nameOf({ provider, model }: { readonly provider: string; readonly model: string }): string {
  return `${provider}/${model}`;
}

function isReason(text: string): text is Reason {
  return waitSchema.shape.reason.safeParse(text).success;
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCodes, code);
}
