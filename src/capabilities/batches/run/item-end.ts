import { addUsd, formatUsd, type Usd, zeroUsd } from '../../../kernel/money.ts';
import {
  countTokens,
  inputTokenClasses,
  outputTokenClasses,
  type TokenCounts,
} from '../../../pricing/token-classes.ts';
import type { ItemEnd } from '../batch.ts';
import { isPassing } from '../../../engine/passing-failures.ts';

/*
 * How an item ends, from how its messages did: a pure function, so that whoever composes the end a second time, after a crash,
 * writes the same bytes. So nothing that differs from run to run is in it: no times, no ids of messages that follow from times,
 * and no order but that of the content.
 */

/** A message of the item that died, or was cancelled. */
export interface FailedPart {
  readonly hops: number;
  readonly stage: string;
  readonly code: string;
  readonly message: string;
  readonly attempts: number;
}

/** What the pipeline said at its end: data of an output, or the result of a handler after which nothing came. JSON. */
export interface SaidPart {
  readonly hops: number;
  /** The output's type, or the handler's stage. */
  readonly name: string;
  readonly json: string;
}

/** An answer that the item used. */
export interface UsedAnswer {
  readonly costUsd: Usd | undefined;
  readonly tokens: TokenCounts;
}

/** All that is known of an item's messages once none of them is open. */
export interface EndedTree {
  readonly dead: readonly FailedPart[];
  readonly cancelled: number;
  readonly outputs: readonly SaidPart[];
  /** Of handlers after which nothing came: shown where there is no output. */
  readonly results: readonly SaidPart[];
  readonly answers: readonly UsedAnswer[];
  /** Set where its outputs are larger than a line may be: how many bytes they have. */
  readonly tooLargeBytes?: number | undefined;
}

/** What the end depends on beside the messages. */
export interface EndRules {
  /** Whether the item's chunk may be begun again. */
  readonly mayRetry: boolean;
  /** How it ends where messages were cancelled, or never admitted: by an operator, or because the deadline is over. */
  readonly cancelledAs: 'cancelled' | 'expired';
}

/** The end of an item, as it is recorded. */
export interface ComposedEnd {
  /** `waiting`: to be run again with its chunk. */
  readonly state: Exclude<ItemEnd, 'skipped'> | 'waiting';
  readonly error:
    { readonly code: string; readonly message: string; readonly attempts: number | undefined } | undefined;
  /** It failed for a reason that passes, and is not run again by itself. */
  readonly isGivenUp: boolean;
  /** Its line of the output; none for one that is run again. */
  readonly line: string | undefined;
  /** Of the answers that have a price. */
  readonly costUsd: Usd;
  readonly unpriced: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

const cancelCode = 'MILLRACE_MESSAGE_CANCELLED';
const noTree: EndedTree = { dead: [], cancelled: 0, outputs: [], results: [], answers: [] };

/** The end of the item; `tree` is undefined for one whose message was never admitted. */
export function composeEnd(
  item: { readonly id: string; readonly position: number },
  tree: EndedTree | undefined,
  rules: EndRules,
): ComposedEnd {
  const { dead, cancelled, tooLargeBytes, answers } = tree ?? noTree;
  const used = sumOf(answers);
  const failure =
    dead.toSorted(byOrigin)[0] ?? (tooLargeBytes === undefined ? undefined : tooLarge(tooLargeBytes));
  if (failure !== undefined) {
    const isPassed = isPassing(failure.code);
    const { code, message, attempts } = failure;
    if (isPassed && rules.mayRetry)
      return {
        state: 'waiting',
        error: { code, message, attempts },
        isGivenUp: false,
        line: undefined,
        ...used,
      };
    const error = { code, message, attempts };
    const line = lineOf(item, 'failed', { error: { code, message } }, used, attempts);
    return { state: 'failed', error, isGivenUp: isPassed, line, ...used };
  }
  if (tree === undefined || cancelled > 0) {
    const state = rules.cancelledAs;
    const message =
      state === 'expired'
        ? 'The deadline of the batch was over before it ended.'
        : 'It was cancelled before it ended.';
    const error = { code: cancelCode, message, attempts: undefined };
    return {
      state,
      error,
      isGivenUp: false,
      line: lineOf(item, state, { error: { code: cancelCode, message } }, used),
      ...used,
    };
  }
  const said = tree.outputs.length > 0 ? tree.outputs : tree.results;
  const json = `[${said
    .toSorted(byContent)
    .map((part) => part.json)
    .join(',')}]`;
  return {
    state: 'succeeded',
    error: undefined,
    isGivenUp: false,
    line: lineOf(item, 'succeeded', json, used),
    ...used,
  };
}

/** The line of an item that was refused when its message was to be admitted; with the answers of an earlier attempt. */
export function refusedEnd(
  item: { readonly id: string; readonly position: number },
  { code, message }: { readonly code: string; readonly message: string },
  answers: readonly UsedAnswer[] = [],
): ComposedEnd {
  const used = sumOf(answers);
  const line = lineOf(item, 'failed', { error: { code, message } }, used, 0);
  return { state: 'failed', error: { code, message, attempts: 0 }, isGivenUp: false, line, ...used };
}

type Sums = Pick<ComposedEnd, 'costUsd' | 'unpriced' | 'inputTokens' | 'outputTokens'>;

function sumOf(answers: readonly UsedAnswer[]): Sums {
  let costUsd = zeroUsd;
  let unpriced = 0;
  let inputTokens = 0;
  let outputTokens = 0;
  for (const answer of answers) {
    if (answer.costUsd === undefined) unpriced += 1;
    else costUsd = addUsd(costUsd, answer.costUsd);
    inputTokens += countTokens(answer.tokens, inputTokenClasses);
    outputTokens += countTokens(answer.tokens, outputTokenClasses);
  }
  return { costUsd, unpriced, inputTokens, outputTokens };
}

/** One JSON object with its keys in this order. What the pipeline said goes in as it was written: numbers keep their digits. */
export function lineOf(
  { id, position }: { readonly id: string; readonly position: number },
  status: ItemEnd,
  said: string | { readonly error: { readonly code: string; readonly message: string } },
  { costUsd, unpriced, inputTokens, outputTokens }: Sums,
  attempts?: number,
): string {
  const what = typeof said === 'string' ? `"outputs":${said}` : `"error":${JSON.stringify(said.error)}`;
  const cost = unpriced > 0 ? 'null' : JSON.stringify(formatUsd(costUsd));
  const tail = attempts === undefined ? '' : `,"attempts":${attempts}`;
  return `{"id":${JSON.stringify(id)},"position":${position},"status":"${status}",${what},"costUsd":${cost},"tokens":{"input":${inputTokens},"output":${outputTokens}}${tail}}`;
}

/** What the pipeline said in the line of an item that succeeded, as it was written; undefined in any other line. */
export function outputsOfLine(line: string): string | undefined {
  // Inside a text of JSON a quote has a backslash before it, so the first is that of the line itself; behind the outputs stands no text of others.
  const mark = ',"status":"succeeded","outputs":';
  const at = line.indexOf(mark);
  if (at === -1) return undefined;
  return line.slice(at + mark.length, line.lastIndexOf(',"costUsd":'));
}

function tooLarge(bytes: number): FailedPart {
  return {
    hops: 0,
    stage: '',
    code: 'MILLRACE_BATCH_OUTPUT_TOO_LARGE',
    message: `What the pipeline said has ${bytes} bytes, more than a line of the output may have. It stands in the item's messages.`,
    attempts: 0,
  };
}

function byOrigin(one: FailedPart, other: FailedPart): number {
  return (
    one.hops - other.hops ||
    order(one.stage, other.stage) ||
    order(one.code, other.code) ||
    order(one.message, other.message)
  );
}

function byContent(one: SaidPart, other: SaidPart): number {
  return one.hops - other.hops || order(one.name, other.name) || order(one.json, other.json);
}

/** By code units, wherever it runs. */
function order(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
