import { z } from 'zod';
import { type Clock, within } from '../../../kernel/clock.ts';
import { readableError } from '../../../kernel/readable-error.ts';
import type { ItemValidator, ValidatedItem } from './batch-validator.ts';
import type { EndedCheck } from './quality-ledger.ts';

const checkTimeoutMs = 60_000;
const maxReasonCharacters = 500;

/** What came of asking a validator about an item. */
export type CheckAnswer =
  | { readonly kind: 'verdict'; readonly check: EndedCheck }
  /** It answered something that is no verdict, and would again. */
  | { readonly kind: 'no_verdict'; readonly problem: string }
  /** It threw, or did not answer in time. */
  | { readonly kind: 'failed'; readonly problem: string; readonly error: unknown }
  /** The host stops: it says nothing about the item. */
  | { readonly kind: 'cut_off' };

export interface ItemQuestion {
  readonly validator: ItemValidator;
  readonly item: ValidatedItem;
  /** JSON. */
  readonly outputs: string;
  readonly clock: Clock;
  readonly stopping: AbortSignal;
}

const answerSchema = z.object({ ok: z.boolean(), reason: z.string().optional() });

/** Asks a validator once. Never throws. */
export async function askValidator({
  validator,
  item,
  outputs,
  clock,
  stopping,
}: ItemQuestion): Promise<CheckAnswer> {
  const ending = new AbortController();
  // A validator that does not heed its signal must not hold up the host's stop.
  const stopped = Promise.withResolvers<never>();
  const stop = (): void => {
    stopped.reject(stopping.reason as Error);
  };
  stopping.addEventListener('abort', stop);
  try {
    stopping.throwIfAborted();
    const asked = (async (): Promise<unknown> =>
      await validator.validate(item, JSON.parse(outputs) as readonly unknown[], ending.signal))();
    const answer = await within(
      clock,
      checkTimeoutMs,
      Promise.race([asked, stopped.promise]),
      () => new Error(`It did not answer within ${checkTimeoutMs / 1000} seconds.`),
    );
    const verdict = answerSchema.safeParse(answer);
    if (!verdict.success) return { kind: 'no_verdict', problem: 'It did not answer { ok, reason }.' };
    const { ok, reason = '' } = verdict.data;
    const { position } = item;
    return { kind: 'verdict', check: ok ? goodCheck(position) : badCheck(position, reason) };
  } catch (thrown) {
    if (stopping.aborted) return { kind: 'cut_off' };
    const error = readableError(thrown);
    return {
      kind: 'failed',
      problem: error instanceof Error ? error.message : 'It threw what is no error.',
      error,
    };
  } finally {
    stopping.removeEventListener('abort', stop);
    ending.abort();
  }
}

function goodCheck(position: number): EndedCheck {
  return { position, state: 'passed', reason: undefined };
}

/** A check that has failed, with as much of the reason as is kept. */
export function badCheck(position: number, reason: string): EndedCheck {
  const text = reason.slice(0, maxReasonCharacters).toWellFormed().replaceAll('\u0000', '\uFFFD');
  return { position, state: 'failed', reason: text === '' ? undefined : text };
}
