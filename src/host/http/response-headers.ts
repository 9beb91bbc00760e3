import type { IncomingMessage } from 'node:http';
import { HttpException } from '@nestjs/common';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../../kernel/clock.ts';
import { newId } from '../../kernel/ids.ts';
import { describeProblem, problemMediaType } from '../../http/problem.ts';
import { shownPathOf } from '../../http/request-facts.ts';

/*
 * What every answer carries: the id of its request, and headers that keep a browser from guessing types, framing
 * pages or loading anything from elsewhere.
 */

const requestIdPattern = /^[\w.:=+/-]{1,128}$/;

/** Takes the caller's x-request-id when it is harmless, and makes one otherwise. */
export function requestIds(clock: Clock): (request: IncomingMessage) => string {
  return (request) => {
    const given = request.headers['x-request-id'];
    return typeof given === 'string' && requestIdPattern.test(given) ? given : newId(clock.now());
  };
}

const secure = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
} as const;
const nothing = "default-src 'none'; frame-ancestors 'none'";
// The page styles its elements one by one, and has pictures in its style sheet.
const ownPage =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
  "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** Sets the headers before anything can answer. */
export function addResponseHeaders(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    setHeaders(request, reply);
    done();
  });
}

/** Answers what the router refuses before any hook runs: URLs that cannot be decoded, or are too long. */
export function answerRouterError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  setHeaders(request, reply);
  const refusal = new HttpException(error.message, error.statusCode ?? 400);
  const { problem } = describeProblem(refusal, shownPathOf(request.url));
  void reply.status(problem.status).type(problemMediaType).send(JSON.stringify(problem));
}

function setHeaders(request: FastifyRequest, reply: FastifyReply): void {
  const isPage = request.url === '/docs' || request.url.startsWith('/docs/');
  void reply.headers({
    ...secure,
    'x-request-id': request.id,
    'content-security-policy': isPage ? ownPage : nothing,
  });
}
