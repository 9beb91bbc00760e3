import type { Usd } from '../../../kernel/money.ts';
import { type BatchState, isOver } from '../batch.ts';
import type { BatchMode } from '../batch-settings.ts';

/*
 * Which way the calls of a batch to one model are made: one pure decision, with its reason in words.
 */

/** How calls are made in the end. */
export type CallMode = Exclude<BatchMode, 'auto'>;

export interface ModeQuestion {
  readonly mode: BatchMode;
  /** Of its start, or of its submission before that. */
  readonly beganAt: Date;
  readonly deadline: Date | undefined;
  /** Whether the provider of the model has batches that can be used here. */
  readonly hasBatches: boolean;
  /** Whether the provider has the cheaper tier for the model. */
  readonly hasFlex: boolean;
  /** What one and the same amount of tokens costs; undefined where no price is known. */
  readonly prices: Readonly<Record<CallMode, Usd | undefined>>;
  /** How long a provider may take for a batch. */
  readonly windowMs: number;
  /** How long before the deadline calls are made at once. */
  readonly onlineMs: number;
}

export interface ModeChoice {
  readonly mode: CallMode;
  readonly reason: string;
}

/** The way, and why. The same question has the same answer whenever it is asked. */
export function chooseMode(question: ModeQuestion): ModeChoice {
  const { mode, hasBatches, hasFlex } = question;
  switch (mode) {
    case 'online':
      return { mode, reason: 'The batch asks for it.' };
    case 'flex':
      return hasFlex
        ? { mode, reason: 'The batch asks for it.' }
        : {
            mode: 'online',
            reason: 'The batch asks for flex, which the provider does not have for the model.',
          };
    case 'provider':
      return hasBatches
        ? { mode, reason: 'The batch asks for it.' }
        : {
            mode: 'online',
            reason: "The batch asks for the provider's batches, which cannot be used for the model.",
          };
    case 'auto':
      return chooseCheapest(question);
  }
}

function chooseCheapest(question: ModeQuestion): ModeChoice {
  const { hasBatches, hasFlex, prices, windowMs } = question;
  const isInTime = leavesTime(question);
  // Of two that cost the same, the one that leaves more of the rate limits to others.
  const candidates: readonly CallMode[] = [
    ...(hasBatches && isInTime ? (['provider'] as const) : []),
    ...(hasFlex ? (['flex'] as const) : []),
    'online',
  ];
  const costs = (mode: CallMode): Usd | undefined => prices[mode] ?? prices.online;
  const chosen = candidates.find((mode) => {
    const own = costs(mode);
    return own === undefined || candidates.every((other) => own.lessThanOrEqualTo(costs(other) ?? own));
  });
  const hours = Math.round((windowMs / 3_600_000) * 10) / 10;
  const late = `the deadline leaves less than the ${hours} h that a provider's batch may take`;
  switch (chosen ?? 'online') {
    case 'provider':
      return {
        mode: 'provider',
        reason: `The deadline leaves the ${hours} h that a provider's batch may take, and nothing is cheaper.`,
      };
    case 'flex':
      return {
        mode: 'flex',
        reason: !hasBatches
          ? 'The provider has no batches that can be used for the model; flex is its cheaper tier.'
          : isInTime
            ? "Flex is cheaper than the provider's batches."
            : `Flex is the cheaper tier: ${late}.`,
      };
    case 'online':
      return {
        mode: 'online',
        reason:
          hasBatches && !isInTime
            ? `Online: ${late}, and the provider has no cheaper tier for the model.`
            : 'The provider has nothing cheaper for the model.',
      };
  }
}

function leavesTime({ beganAt, deadline, windowMs, onlineMs }: ModeQuestion): boolean {
  return deadline === undefined || deadline.getTime() - beganAt.getTime() >= windowMs + onlineMs;
}

/** A call that is about to be made in the mode `provider`. */
export interface ProviderCallQuestion {
  /** How often it was in a provider's batch before and has no answer that counts. */
  readonly deferrals: number;
  readonly rounds: number;
  readonly deadline: Date | undefined;
  readonly now: Date;
  readonly onlineMs: number;
}

/** Failures that come again however often the same is asked, in a provider's batch or at once. */
const lastingFailures = ['bad_request', 'content_policy', 'context_too_long', 'not_found'] as const;

/** Whether the same question would fail in the same way. */
export function comesAgain(kind: string): kind is (typeof lastingFailures)[number] {
  return lastingFailures.some((lasting) => lasting === kind);
}

/** Whether calls of a batch are not begun any more, since their messages are about to be cancelled: by an operator, or by its deadline. */
export function beginsNothing(
  { state, deadline }: { readonly state: BatchState; readonly deadline: Date | undefined },
  now: Date,
): boolean {
  if (state === 'cancelling') return true;
  return !isOver(state) && deadline !== undefined && deadline <= now;
}

/** Whether a call still goes into a provider's batch, or is made at once at the full price. */
export function goesIntoBatch({ deferrals, rounds, deadline, now, onlineMs }: ProviderCallQuestion): boolean {
  if (deferrals >= rounds) return false;
  return deadline === undefined || deadline.getTime() - now.getTime() > onlineMs;
}
