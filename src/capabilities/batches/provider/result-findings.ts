import type { BatchEnding, BatchUsage } from './provider-batch-api.ts';
import type { RequestEnd } from './provider-batch-request.ts';

/*
 * What the results of a batch were found to be, beside what the provider says.
 */

/** Lines that are nobody's result. */
export interface OddLines {
  /** That are no JSON of the provider's form, or are too long. */
  readonly unreadable: number;
  /** About requests that are not the batch's. */
  readonly foreign: number;
  /** About requests that had a line before. */
  readonly repeated: number;
}

/** The provider's sum of tokens beside the sum of the lines. */
export type UsageComparison =
  | { readonly kind: 'agrees' }
  /** The provider gives no sum. */
  | { readonly kind: 'not_reported' }
  /** Not all lines say what they took, so that the sums cannot be compared. */
  | { readonly kind: 'incomplete'; readonly reported: BatchUsage; readonly summed: BatchUsage }
  /** The provider's sum is not the lines'. `difference` is the provider's less the lines'. */
  | {
      readonly kind: 'differs';
      readonly reported: BatchUsage;
      readonly summed: BatchUsage;
      readonly difference: BatchUsage;
    };

/** What is kept of it. */
export interface ResultFindings {
  readonly requests: Readonly<Record<RequestEnd, number>>;
  readonly oddLines: OddLines;
  readonly usage: UsageComparison;
}

interface Sum extends BatchUsage {
  readonly outcome: RequestEnd;
  readonly requests: number;
  readonly silent: number;
}

/** Adds up what was collected, and compares it with what the provider said at the end. */
export function findingsOf(
  sums: readonly Sum[],
  { usage }: Pick<BatchEnding, 'usage'>,
  oddLines: OddLines,
): ResultFindings {
  const requests = { succeeded: 0, failed: 0, expired: 0, cancelled: 0, missing: 0 };
  let inputTokens = 0;
  let outputTokens = 0;
  let silent = 0;
  for (const sum of sums) {
    requests[sum.outcome] += sum.requests;
    inputTokens += sum.inputTokens;
    outputTokens += sum.outputTokens;
    silent += sum.silent;
  }
  const isWhole = silent === 0 && requests.missing === 0;
  return { requests, oddLines, usage: comparison(usage, { inputTokens, outputTokens }, isWhole) };
}

function comparison(reported: BatchUsage | undefined, summed: BatchUsage, isWhole: boolean): UsageComparison {
  if (reported === undefined) return { kind: 'not_reported' };
  const difference = {
    inputTokens: reported.inputTokens - summed.inputTokens,
    outputTokens: reported.outputTokens - summed.outputTokens,
  };
  if (difference.inputTokens === 0 && difference.outputTokens === 0) return { kind: 'agrees' };
  return isWhole
    ? { kind: 'differs', reported, summed, difference }
    : { kind: 'incomplete', reported, summed };
}
