import { invariant } from '../../kernel/invariant.ts';
import { type Usd, usd, zeroUsd } from '../../kernel/money.ts';

/** The figures of one group, or of all. Amounts are exact. */
export interface CostFigures {
  /** Settled and estimated spend; what is unpriced or unsettled is not in it. */
  readonly costUsd: Usd;
  /** The part of it that bought nothing. */
  readonly wasteUsd: Usd;
  /** What calls of unknown or estimated usage can have cost at most. */
  readonly upperBoundUsd: Usd;
  readonly calls: number;
  readonly unpricedCalls: number;
  readonly unsettledCalls: number;
  readonly estimatedCalls: number;
  /** Estimated ones whose reported usage was not believed. */
  readonly suspectCalls: number;
  readonly inputTokens: bigint;
  readonly outputTokens: bigint;
  readonly cachedInputTokens: bigint;
  /** Cached input by all input, 0 to 1; 0 without input. */
  readonly cachedShare: number;
  /** Distinct messages, when they were asked for. */
  readonly messages?: number;
}

/** The figures in a row of a report's answer. */
export function readFigures(
  row: Readonly<Record<string, unknown>>,
  {
    prefix = 'total',
    hasMessages = false,
  }: { readonly prefix?: string; readonly hasMessages?: boolean } = {},
): CostFigures {
  const inputTokens = readTokens(row, `${prefix}_input`);
  const cachedInputTokens = readTokens(row, `${prefix}_cached`);
  return {
    costUsd: readAmount(row, `${prefix}_cost`),
    wasteUsd: readAmount(row, `${prefix}_waste`),
    upperBoundUsd: readAmount(row, `${prefix}_bound`),
    calls: readCount(row, `${prefix}_calls`),
    unpricedCalls: readCount(row, `${prefix}_unpriced`),
    unsettledCalls: readCount(row, `${prefix}_unsettled`),
    estimatedCalls: readCount(row, `${prefix}_estimated`),
    suspectCalls: readCount(row, `${prefix}_suspect`),
    inputTokens,
    outputTokens: readTokens(row, `${prefix}_output`),
    cachedInputTokens,
    cachedShare: inputTokens > 0n ? Number(cachedInputTokens) / Number(inputTokens) : 0,
    ...(hasMessages ? { messages: readCount(row, `${prefix}_messages`) } : {}),
  };
}

function readAmount(row: Readonly<Record<string, unknown>>, column: string): Usd {
  const value = row[column];
  if (value === undefined) return zeroUsd;
  invariant(typeof value === 'string', `${column} comes as a decimal string`);
  return usd(value);
}

/** A count in a row. */
export function readCount(row: Readonly<Record<string, unknown>>, column: string): number {
  const count = Number(row[column] ?? 0);
  invariant(Number.isSafeInteger(count), `${column} is a whole number`);
  return count;
}

/** Sums of tokens can be above what a number holds exactly. The engine gives them as text. */
function readTokens(row: Readonly<Record<string, unknown>>, column: string): bigint {
  const value = row[column] ?? '0';
  invariant(typeof value === 'string' || typeof value === 'number', `${column} is a count`);
  return BigInt(value);
}
