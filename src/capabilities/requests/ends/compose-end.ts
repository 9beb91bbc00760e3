import type { TreeMessage } from '../../../engine/ledger/tree-messages.ts';
import type { RequestEnd, RequestError } from '../request.ts';
import { requestErrors } from '../request-errors.ts';

/*
 * How a request ends, from how its messages did: a pure function, so that whoever composes the end a second time comes to the same. Failures count before
 * cancellations, and both before what the pipeline said.
 */

/** What the pipeline said at its end: data of an output, or the result of a handler after which nothing came. */
export interface SaidPart {
  readonly hops: number;
  /** The output's type, or the handler's stage. */
  readonly name: string;
  readonly json: string;
}

/** What is known of a request of which nothing is open. */
export interface EndedTree {
  readonly messages: readonly TreeMessage[];
  /** Whether somebody wanted it cancelled. */
  readonly isCancelling: boolean;
  /** Of what the pipeline said. */
  readonly bytes: number;
  readonly maxBytes: number;
}

/** Its end, or `said` where what the pipeline said has to be read first. */
export type HowItEnds =
  | { readonly state: Exclude<RequestEnd, 'completed'>; readonly error: RequestError }
  | { readonly state: 'completed'; readonly said: readonly TreeMessage[] };

const maxMessageLength = 2000;

export function howItEnds({ messages, isCancelling, bytes, maxBytes }: EndedTree): HowItEnds {
  const isCancelled = messages.some(({ state }) => state === 'cancelled');
  const [dead] = messages.filter(({ state }) => state === 'dead_lettered').toSorted(byOrigin);
  if (isCancelled && (isCancelling || dead === undefined))
    return {
      state: 'cancelled',
      error: {
        code: 'MILLRACE_MESSAGE_CANCELLED',
        message: isCancelling
          ? 'It was cancelled before it ended.'
          : 'A message of it was cancelled by its handler, or by an operator.',
        stage: undefined,
      },
    };
  if (dead !== undefined)
    return {
      state: 'failed',
      error: {
        code: dead.code ?? 'MILLRACE_STAGE_FAILED',
        message: dead.detail === undefined ? '' : firstMessageOf(dead.detail),
        stage: dead.stage,
      },
    };
  if (bytes > maxBytes)
    return {
      state: 'failed',
      error: {
        code: requestErrors.MILLRACE_REQUEST_RESULT_TOO_LARGE.code,
        message: `What the pipeline said has ${bytes} bytes; a result has at most ${maxBytes}.`,
        stage: undefined,
      },
    };
  const outputs = messages.filter(({ body }) => body !== undefined);
  return {
    state: 'completed',
    said: outputs.length > 0 ? outputs : messages.filter(({ result }) => result !== undefined),
  };
}

/** The result: the only output, the list of several, nothing of none. JSON, as it was written: numbers keep their digits. */
export function resultOf(said: readonly SaidPart[]): string | undefined {
  const [only, ...others] = said.toSorted(byContent).map(({ json }) => json);
  return only === undefined || others.length === 0 ? only : `[${[only, ...others].join(',')}]`;
}

/** What the first error of the account says. */
function firstMessageOf(detail: string): string {
  const { chain } = JSON.parse(detail) as { readonly chain?: readonly { readonly message?: unknown }[] };
  const message = chain?.[0]?.message;
  return typeof message === 'string'
    ? message.slice(0, maxMessageLength).toWellFormed().replaceAll('\u0000', '\uFFFD')
    : '';
}

function byOrigin(one: TreeMessage, other: TreeMessage): number {
  return one.hops - other.hops || order(one.stage, other.stage) || order(one.code ?? '', other.code ?? '');
}

function byContent(one: SaidPart, other: SaidPart): number {
  return one.hops - other.hops || order(one.name, other.name) || order(one.json, other.json);
}

/** By code units, wherever it runs. */
function order(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
