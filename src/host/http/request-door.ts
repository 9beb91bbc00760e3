import { Readable } from 'node:stream';
import { HttpException } from '@nestjs/common';
import type { FastifyInstance, FastifyReply, FastifyRequest, RequestPayload } from 'fastify';
import { shareOf } from '../../http/api-key-identity.ts';
import { AppError } from '../../kernel/app-error.ts';
import { invariant } from '../../kernel/invariant.ts';
import { type ParseJson, readJsonBody } from '../../http/json-body.ts';
import { largeBodyBytes } from '../../http/large-bodies.ts';
import { batchMediaType, eventMediaType, maxBatchEvents } from '../../http/message-media-types.ts';
import { describeProblem, problemMediaType } from '../../http/problem.ts';
import { rememberPlace } from '../../http/request-places.ts';
import { streamedBodies } from '../../http/streamed-bodies.ts';
import { readRequestBody } from './request-body.ts';
import { streamedBody } from './streamed-body.ts';
import { whenAnswered } from '../../http/when-answered.ts';
import type { CallerIdentification } from '../../http/caller.ts';
import { shownPathOf } from '../../http/request-facts.ts';
import { type RateState, type RefusalReason, type RequestLimits, routeOf } from './request-limits.ts';

/*
 * What a request passes before anything of it is read: is there such a route, is there a place for it, whose key is it,
 * has the key requests left and places. Many that come at once are begun one after the other. Then its body is read within the bounds of its route and of all bodies in progress. Health
 * and metrics pass freely, so that they answer while the rest is refused.
 */

export interface RequestDoorOptions {
  readonly limits: RequestLimits;
  /** Found when it is first needed: the application is made after the hooks. */
  readonly authentication: () => CallerIdentification;
  /** The largest body of a request with messages. */
  readonly bodyLimitBytes: number;
  readonly onRefused: (reason: RefusalReason) => void;
}

/** Bodies that are no messages: filters, ids, reasons. */
const orderLimitBytes = 262_144;
const maxDepth = 128;
const healthPath = /^\/health(?:[/?]|$)/;
const openPath = /^\/(?:health|metrics|docs|openapi\.json)(?:[/?]|$)/;
const messagesRoute = '/v1/messages';

/** Puts the door before all routes, and reads bodies as JSON. */
export function guardRequests(fastify: FastifyInstance, options: RequestDoorOptions): void {
  const { turns } = options.limits;
  fastify.addHook('onRequest', (request, reply, done) => {
    if (healthPath.test(request.url)) {
      done();
      return;
    }
    const hasTurn = turns.take(() => {
      if (isOpen(request) || enterDoor(request, reply, options)) done();
    });
    if (!hasTurn) refuse(request, reply, options);
  });
  fastify.addHook(
    'preParsing',
    async (request: FastifyRequest, reply: FastifyReply, payload: RequestPayload) => {
      if (request.is404) throw closing(reply, new HttpException('Not Found', 404));
      if (openPath.test(request.url)) return payload;
      await passDoor(request, reply, options);
      return payload;
    },
  );
  const parse = jsonParser(fastify);
  fastify.removeAllContentTypeParsers();
  for (const mediaType of ['application/json', eventMediaType, batchMediaType]) {
    fastify.addContentTypeParser(mediaType, async (request: FastifyRequest, payload: RequestPayload) => {
      const isBatch = mediaType === batchMediaType;
      const { eventBytes, jsonValues, jsonKeys } = options.limits.settings;
      const maxBytes = Math.min(eventBytes, options.bodyLimitBytes);
      const limit = isMessages(request)
        ? isBatch
          ? options.bodyLimitBytes
          : maxBytes
        : orderLimitOf(request, options);
      const taken = await readBytes(request, asReadable(payload), limit, options);
      return await readJsonBody(taken, {
        parse,
        maxDepth,
        maxBytes: isMessages(request) ? maxBytes : limit,
        maxValues: jsonValues,
        maxKeys: jsonKeys,
        isMessage: isMessages(request),
        ...(isBatch ? { batch: { maxParts: maxBatchEvents } } : {}),
      });
    });
  }
  const streamed = new Set([...streamedBodies.values()].flat());
  for (const mediaType of streamed) {
    fastify.addContentTypeParser(mediaType, (request: FastifyRequest, payload: RequestPayload) =>
      Promise.resolve().then(() => handOn(request, asReadable(payload), mediaType, options)),
    );
  }
}

/** The body as it arrives, which counts as one largest body among those in progress until its answer is sent. */
function handOn(
  request: FastifyRequest,
  payload: Readable,
  mediaType: string,
  { limits, bodyLimitBytes, onRefused }: RequestDoorOptions,
): AsyncIterable<Uint8Array> {
  const through = passed.get(request);
  invariant(through !== undefined, 'a body is read of a request that has passed the door');
  const { reply, share } = through;
  if (streamedBodies.get(request.routeOptions.url ?? '')?.includes(mediaType) !== true) {
    throw closing(reply, new HttpException(`Unsupported Media Type: ${mediaType}`, 415));
  }
  const refusal = limits.takeBytes(bodyLimitBytes, share);
  if (refusal !== undefined) {
    onRefused(refusal.reason);
    throw closing(reply, refusal.error);
  }
  whenAnswered(reply.raw, () => limits.giveBytes(bodyLimitBytes, share));
  // Whoever reads it may refuse it in the middle.
  void closing(reply, undefined);
  return streamedBody(payload, { limits, onRefused });
}

/** What needs no place: it is bounded by itself, or there is no such route. */
function isOpen(request: FastifyRequest): boolean {
  return request.is404 || openPath.test(request.url);
}

/** Takes a place for the request; when there is none, refuses it. */
function enterDoor(request: FastifyRequest, reply: FastifyReply, options: RequestDoorOptions): boolean {
  const leave = options.limits.tryToEnter();
  if (leave === undefined) {
    refuse(request, reply, options);
    return false;
  }
  rememberPlace(request, whenAnswered(reply.raw, leave));
  return true;
}

/** Says that there is no place, without anything else that a request passes: who is too many must cost little. */
function refuse(request: FastifyRequest, reply: FastifyReply, { onRefused }: RequestDoorOptions): void {
  onRefused('concurrency');
  const path = shownPathOf(request.url);
  const refusal = new AppError('MILLRACE_OVERLOADED', 'Too many requests are in progress.', {
    retryAfterMs: 1000,
  });
  const { problem, retryAfterSeconds = 1 } = describeProblem(refusal, path);
  void reply
    .status(problem.status)
    .headers({ 'retry-after': String(retryAfterSeconds), 'cache-control': 'no-store' })
    .type(problemMediaType);
  closing(reply, refusal);
  void reply.send(JSON.stringify(problem));
}

async function passDoor(
  request: FastifyRequest,
  reply: FastifyReply,
  { limits, authentication, onRefused }: RequestDoorOptions,
): Promise<void> {
  const identity = await authentication()
    .identify(request)
    .catch((error: unknown) => {
      onRefused('unauthenticated');
      throw closing(reply, error);
    });
  const rates = limits.countRequest(identity, routeOf(request));
  void reply.headers(rateHeaders(rates));
  const spent = rates.find(({ remaining }) => remaining < 0);
  if (spent !== undefined) {
    onRefused('rate');
    throw closing(
      reply,
      new AppError('MILLRACE_RATE_LIMITED', `This API key has made ${spent.limit} requests in this minute.`, {
        retryAfterMs: spent.resetSeconds * 1000,
      }),
    );
  }
  const share = shareOf(identity);
  const refusal = limits.enterFor(share);
  if (refusal !== undefined) {
    onRefused(refusal.reason);
    throw closing(reply, refusal.error);
  }
  const leaveFor = whenAnswered(reply.raw, () => limits.leaveFor(share));
  rememberPlace(request, leaveFor);
  passed.set(request, { reply, share });
}

/** Every limit that holds, as draft-ietf-httpapi-ratelimit-headers has it: lists of structured fields. */
function rateHeaders(rates: readonly RateState[]): Record<string, string> {
  return {
    'ratelimit-policy': rates.map(({ policy, limit }) => `"${policy}";q=${limit};w=60`).join(', '),
    ratelimit: rates
      .map(
        ({ policy, remaining, resetSeconds }) => `"${policy}";r=${Math.max(0, remaining)};t=${resetSeconds}`,
      )
      .join(', '),
  };
}

/** A body that nobody will read must not keep its connection busy. */
function closing(reply: FastifyReply, error: unknown): unknown {
  const { headers } = reply.request;
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  if (hasBody) void reply.header('connection', 'close');
  return error;
}

function isMessages(request: FastifyRequest): boolean {
  return request.routeOptions.url === messagesRoute;
}

/** The most bytes of a body that is no message. */
function orderLimitOf(request: FastifyRequest, { bodyLimitBytes }: RequestDoorOptions): number {
  const large = largeBodyBytes.get(request.routeOptions.url ?? '');
  return large === undefined ? orderLimitBytes : Math.min(large, bodyLimitBytes);
}

/** The bytes of a body, which count among those in progress until its answer is sent. */
async function readBytes(
  request: FastifyRequest,
  payload: Readable,
  limit: number,
  { limits, onRefused }: RequestDoorOptions,
): Promise<Buffer> {
  const { 'content-encoding': encoding, 'content-length': contentLength = 0 } = request.headers;
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new AppError('MILLRACE_MEDIA_TYPE_UNSUPPORTED', 'Bodies are accepted without a content encoding.');
  }
  const through = passed.get(request);
  invariant(through !== undefined, 'a body is read of a request that has passed the door');
  return await readRequestBody(payload, {
    limits,
    limit,
    share: through.share,
    contentLength: Number(contentLength),
    onRefused,
    whenAnswered: (work) => whenAnswered(through.reply.raw, work),
  }).catch((error: unknown) => {
    throw closing(through.reply, error);
  });
}

/** Requests that passed the door: where they are answered, and whose share they use. */
const passed = new WeakMap<object, { readonly reply: FastifyReply; readonly share: string | undefined }>();

/** What hooks passed on: the request itself, which is a stream. */
function asReadable(payload: unknown): Readable {
  invariant(payload instanceof Readable, 'the body of a request is a stream');
  return payload;
}

/** Fastify's own parser: it refuses what would change an object's prototype. */
function jsonParser(fastify: FastifyInstance): ParseJson {
  const parser = fastify.getDefaultJsonParser('error', 'error');
  return (text) => {
    let result: { readonly error: Error | null; readonly value?: unknown } = { error: null };
    // The request is not looked at, and the answer comes before the call returns.
    void parser({} as FastifyRequest, text, (error, value) => {
      result = { error, value };
    });
    if (result.error !== null) {
      // Its own message says "not valid JSON" of either fault.
      JSON.parse(text);
      throw new Error('it has a key "__proto__" or "constructor.prototype", which no message may have');
    }
    return result.value;
  };
}
