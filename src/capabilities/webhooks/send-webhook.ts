import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import { type Clock, within } from '../../kernel/clock.ts';
import type { SignedRequest } from './signed-request.ts';

/** What became of one request. */
export interface SentRequest {
  /** Absent: there was no answer. */
  readonly status?: number;
  readonly retryAfter?: string;
  /** The first of the answer's body, where it has one. */
  readonly excerpt?: string;
  /** Why it was not taken; undefined where it was. */
  readonly problem?: string;
}

export interface SendOptions {
  readonly clock: Clock;
  /** The host stops. */
  readonly stopping: AbortSignal;
  /** Undefined: as the system looks names up, to any address. */
  readonly lookup: LookupFunction | undefined;
}

export const requestTimeoutMs = 15_000;
/** So much of an answer is read, and so much of it is kept. */
const maxAnswerBytes = 16_384;
const excerptCharacters = 1000;

/**
 * Makes one request, on a connection of its own. Never follows a redirect: it would lead to an address that nobody checked. Only an answer of 2xx that
 * comes whole, or as much of it as is read, within the time-out has been taken: what breaks off may be of a receiver that has died.
 */
export async function sendWebhook(
  url: string,
  { headers, body }: SignedRequest,
  { clock, stopping, lookup }: SendOptions,
): Promise<SentRequest> {
  const late = new AbortController();
  const options: RequestOptions = {
    method: 'POST',
    agent: false,
    headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
    signal: AbortSignal.any([stopping, late.signal]),
    ...(lookup === undefined ? {} : { lookup }),
  };
  let answer: IncomingMessage | undefined;
  const send = async (): Promise<SentRequest> => {
    answer = await answerOf(url, options, body);
    const text = await readSome(answer);
    return { ...told(answer), ...excerptOf(text) };
  };
  try {
    return await within(
      clock,
      requestTimeoutMs,
      send(),
      () => new Error(`no answer within ${requestTimeoutMs / 1000} s`),
    );
  } catch (error) {
    return { ...(answer === undefined ? {} : told(answer)), problem: problemOf(error) };
  } finally {
    late.abort();
  }
}

function answerOf(url: string, options: RequestOptions, body: string): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const begin = url.startsWith('https:') ? httpsRequest : httpRequest;
  const request = begin(url, options, resolve);
  request.on('error', reject);
  request.end(body);
  return promise;
}

/** The first bytes of an answer. What comes after them is not waited for. */
async function readSome(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer) {
    const piece = chunk as Buffer;
    chunks.push(piece);
    bytes += piece.length;
    if (bytes >= maxAnswerBytes) break;
  }
  return Buffer.concat(chunks);
}

function told({ statusCode = 0, headers }: IncomingMessage): SentRequest {
  const retryAfter = headers['retry-after'];
  return {
    status: statusCode,
    ...(retryAfter === undefined ? {} : { retryAfter }),
    ...(statusCode >= 200 && statusCode < 300 ? {} : { problem: `it answers with HTTP ${statusCode}` }),
  };
}

/** As the ledger can hold it. */
function excerptOf(bytes: Buffer): { readonly excerpt?: string } {
  const text = bytes.toString('utf8').slice(0, excerptCharacters).toWellFormed();
  return text === '' ? {} : { excerpt: text.replaceAll('\u0000', '\uFFFD') };
}

/** Without the address, which may have a credential in it. */
function problemOf(error: unknown): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const code = first instanceof Error && 'code' in first ? first.code : undefined;
  if (code === 'ADDRESS_REFUSED') return 'its name leads to an address that is not public';
  if (code === 'ECONNRESET') return 'it broke the connection off';
  if (typeof code === 'string') return `it cannot be reached: ${code}`;
  return first instanceof Error
    ? first.message.slice(0, 200).toWellFormed().replaceAll('\u0000', '\uFFFD')
    : 'unknown';
}
