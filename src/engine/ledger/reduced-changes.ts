import type { AppError } from '../../kernel/app-error.ts';
import { isStorableText } from '../../kernel/storable-text.ts';
import type { End, FailureNote, Park, Retry } from './message-changes.ts';

/*
 * Ends of runs that the database refused for what they hold, in a form that it takes: what is known to be sound stays, the rest
 * is replaced by a stand-in that says so. The run counts as what it was; only its words are lost.
 */

const maxDelayMs = 2 ** 31 - 1;
/** Where a delay is no number. */
const defaultDelayMs = 60_000;
const maxTextCharacters = 200;

/** The same failed attempt without its words. */
export function reducedRetry(retry: Retry, refusal: AppError): Retry {
  const { waitsFor, isInvalidOutput, ...rest } = retry;
  return {
    ...rest,
    ...reducedNote(retry, refusal),
    ...soundFlag(isInvalidOutput),
    delayMs: soundDelay(retry.delayMs),
    ...(isSoundText(waitsFor) ? { waitsFor } : {}),
  };
}

/** The same end without its words. */
export function reducedEnd(end: End, refusal: AppError): End {
  const { isInvalidOutput, ...rest } = end;
  return { ...rest, ...reducedNote(end, refusal), ...soundFlag(isInvalidOutput) };
}

/** The same message put aside: for a time, where what it waits for is no name that can be lifted. */
export function reducedPark(park: Park): Park {
  const { waitsFor, parkedFor, delayMs, ...rest } = park;
  const isNamed = isSoundText(parkedFor);
  return {
    ...rest,
    parkedFor: isNamed ? parkedFor : undefined,
    delayMs: isNamed && delayMs === undefined ? undefined : soundDelay(delayMs),
    ...(isSoundText(waitsFor) ? { waitsFor } : {}),
  };
}

function reducedNote({ code }: FailureNote, refusal: AppError): FailureNote {
  const known = isSoundText(code) ? code : 'MILLRACE_STAGE_FAILED';
  const message = `What was known of this failure could not be stored and is left out. ${refusal.message}`;
  return {
    code: known,
    detail: JSON.stringify({ chain: [{ code: known, message: storable(message) }] }),
  };
}

function soundFlag(isInvalidOutput: boolean | undefined): { readonly isInvalidOutput?: boolean } {
  return typeof isInvalidOutput === 'boolean' ? { isInvalidOutput } : {};
}

function soundDelay(delayMs: number | undefined): number {
  if (typeof delayMs !== 'number' || Number.isNaN(delayMs)) return defaultDelayMs;
  return Math.min(maxDelayMs, Math.max(0, delayMs));
}

function isSoundText(text: unknown): text is string {
  return typeof text === 'string' && text.length <= maxTextCharacters && isStorableText(text);
}

function storable(text: string): string {
  return text.slice(0, 2000).toWellFormed().replaceAll('\u0000', '\uFFFD');
}
