import type { AppError } from '../../kernel/app-error.ts';
import { isStorableText } from '../../kernel/storable-text.ts';
import { type Usd, isStorableUsd } from '../../kernel/money.ts';
import { columnText } from '../providers/column-text.ts';
import type { SettledCall } from '../ledger/settlement.ts';

/*
 * What is written of a call whose settlement the ledger refused for what it holds. Usage, price and cost are the truth about
 * money and stay; what is odd gives way to a stand-in, and the raw usage says so.
 */

/** In place of a text that no column takes. */
const refusedText = '(refused)';

const maxDurationMs = 2 ** 31 - 1;
const maxTextCharacters = 256;
const maxReasonCharacters = 500;

/** The end with everything replaced that is known to be odd. Undefined when nothing is. */
export function soundEnd(end: SettledCall, refusal: AppError): SettledCall | undefined {
  const sound: SettledCall = {
    ...soundMoney(end),
    tier: soundText(end.tier) ?? refusedText,
    errorType: soundText(end.errorType),
    answeredModel: soundText(end.answeredModel),
    providerRequestId: soundText(end.providerRequestId),
    durationMs: soundDuration(end.durationMs) ?? 0,
    firstChunkMs: soundDuration(end.firstChunkMs),
    answer: isSoundAnswer(end.answer) ? end.answer : undefined,
    rawUsage: typeof end.rawUsage === 'string' && isStorableText(end.rawUsage) ? end.rawUsage : undefined,
  };
  const replaced = (Object.keys(sound) as (keyof SettledCall)[]).filter(
    (field) => sound[field] !== end[field],
  );
  if (replaced.length === 0) return undefined;
  return { ...sound, rawUsage: markedUsage(sound.rawUsage, refusal, replaced) };
}

/** The end as money alone: without its answer, its raw usage and the provider's texts. */
export function bareEnd(end: SettledCall, refusal: AppError): SettledCall {
  const replaced = ['answer', 'rawUsage', 'answeredModel', 'providerRequestId', 'firstChunkMs'];
  return {
    ...soundMoney(end),
    tier: soundText(end.tier) ?? refusedText,
    errorType: soundText(end.errorType),
    answeredModel: end.answeredModel === undefined ? undefined : refusedText,
    providerRequestId: end.providerRequestId === undefined ? undefined : refusedText,
    durationMs: soundDuration(end.durationMs) ?? 0,
    firstChunkMs: undefined,
    answer: undefined,
    rawUsage: markedUsage(undefined, refusal, replaced),
  };
}

/** Counts and amounts that cannot be written are left out: then the call is kept as unpriced, never with a wrong amount. */
function soundMoney(end: SettledCall): SettledCall {
  const counts = Object.entries(end.tokens);
  const isCounted = counts.every(([, count]) => Number.isSafeInteger(count));
  const tokens = isCounted
    ? end.tokens
    : Object.fromEntries(counts.filter(([, count]) => Number.isSafeInteger(count)));
  const amounts = [end.cost?.request, ...Object.values(end.cost?.byClass ?? {})];
  return {
    ...end,
    tokens,
    costUsd: soundAmount(end.costUsd),
    upperBoundUsd: soundAmount(end.upperBoundUsd),
    cost: amounts.every((amount) => amount === undefined || isStorableUsd(amount)) ? end.cost : undefined,
  };
}

function soundAmount(amount: Usd | undefined): Usd | undefined {
  return amount !== undefined && isStorableUsd(amount) ? amount : undefined;
}

function soundText(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  return typeof text === 'string' && text.length <= maxTextCharacters && isStorableText(text)
    ? text
    : refusedText;
}

function soundDuration(durationMs: number | undefined): number | undefined {
  if (typeof durationMs !== 'number' || Number.isNaN(durationMs)) return undefined;
  return Math.min(maxDurationMs, Math.max(0, durationMs));
}

function isSoundAnswer(answer: SettledCall['answer']): boolean {
  if (answer === undefined) return true;
  const text: unknown = 'json' in answer ? answer.json : answer.reference;
  return typeof text === 'string' && isStorableText(text);
}

/** The provider's usage block, if there is one to keep, beside what is missing in the row and why. */
function markedUsage(rawUsage: string | undefined, refusal: AppError, replaced: readonly string[]): string {
  const reason = columnText(refusal.message, maxReasonCharacters);
  return JSON.stringify({ millrace_refused: { reason, replaced }, reported: rawUsage ?? null });
}
