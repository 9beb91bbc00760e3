import type { IncomingHttpHeaders } from 'node:http';
import type { Clock } from '../kernel/clock.ts';
import { generate } from './answers.ts';
import { Draws, drawLogNormal, requestHash } from './draws.ts';
import type { Answer, Endpoint, ModelRequest } from './endpoint.ts';
import type { FaultRules } from './faults.ts';
import { parsedJson } from './parsed-json.ts';
import { type Refusal, refusalsOf } from './provider-errors.ts';
import { type LimitDecision, limitHeaders, type RateLimits } from './rate-limits.ts';
import type { Sightings } from './sightings.ts';
import type { FaultName, FaultRule, SimulatorConfig } from './simulator-config.ts';
import { drawTrick, type Trick } from './tricks.ts';
import {
  findSimulatedModel,
  ordinaryTier,
  type SimulatedModel,
  type SimulatedProvider,
} from './simulator-prices.ts';

/*
 * What happens to a request, decided before anything is billed or sent. In order: key, body, model, limits of the model,
 * fault rules, rate limits. Nothing but counters (rule strikes, sightings, rate buckets) changes here.
 */

/** What a request is judged by. */
export interface Court {
  readonly config: SimulatorConfig;
  readonly clock: Clock;
  readonly rules: FaultRules;
  readonly limits: RateLimits;
  readonly sightings: Sightings;
}

/** The request as it came in. */
export interface Plea {
  readonly endpoint: Endpoint;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly answerId: string;
}

export interface Verdict {
  readonly outcome: 'refuse' | 'hang' | 'answer';
  readonly refusal: Refusal | undefined;
  readonly answer: Answer | undefined;
  readonly fault: FaultName | undefined;
  /** What a hostile provider does with the answer. */
  readonly trick: Trick | undefined;
  readonly latencyMs: number;
  readonly requestHash: string;
  readonly headers: Record<string, string>;
}

const nothing = {
  refusal: undefined,
  answer: undefined,
  fault: undefined,
  trick: undefined,
  latencyMs: 0,
  requestHash: '',
  headers: {},
};

const refused = (refusal: Refusal, more: Partial<Verdict> = {}): Verdict => ({
  ...nothing,
  ...more,
  outcome: 'refuse',
  refusal,
});

export function judge(court: Court, plea: Plea): Verdict {
  const { endpoint, headers } = plea;
  const refusals = refusalsOf[endpoint.provider];
  if (!isKeyAccepted(endpoint.provider, headers, court.config.apiKeys))
    return refused(refusals.unauthorised());
  if (endpoint.provider === 'anthropic' && headers['anthropic-version'] === undefined) {
    return refused(refusals.invalidRequest('anthropic-version: header is required'));
  }
  const json = parsedJson(plea.body);
  if (json === undefined)
    return refused(refusals.invalidRequest('We could not parse the JSON body of your request.'));
  return judgeJson(court, plea, json, true);
}

/** Judges a request that came in a batch: whoever submitted it was let in, and limits by the minute do not hold for it. */
export function judgeBatched(court: Court, plea: Omit<Plea, 'body'>, json: unknown): Verdict {
  return judgeJson(court, plea, json, false);
}

function judgeJson(court: Court, plea: Omit<Plea, 'body'>, json: unknown, isLimited: boolean): Verdict {
  const { endpoint } = plea;
  const refusals = refusalsOf[endpoint.provider];
  const parsed = endpoint.parse(json, court.config.charactersPerToken);
  if (parsed.kind === 'refused') return refused(parsed.refusal);
  const { request } = parsed;
  const model = findSimulatedModel(endpoint.provider, request.model);
  const isServed = model !== undefined && (model.kind === 'embedding') === (endpoint.name === 'embeddings');
  if (!isServed) return refused(refusals.unknownModel(request.model));
  const wrong = wrongLimits(endpoint, request, model);
  if (wrong !== undefined) return refused(wrong);
  return judgeModelRequest(court, plea, {
    request,
    model,
    hash: requestHash(endpoint.path, json),
    isLimited,
  });
}

interface Hearing {
  readonly request: ModelRequest;
  readonly model: SimulatedModel;
  readonly hash: string;
  /** Whether it takes from the model's limits by the minute. */
  readonly isLimited: boolean;
}

function judgeModelRequest(
  court: Court,
  plea: Omit<Plea, 'body'>,
  { request, model, hash, isLimited }: Hearing,
): Verdict {
  const { config, clock, limits } = court;
  const { endpoint, headers } = plea;
  const now = clock.now();
  const nowMs = clock.monotonicMs();
  // A client that numbers its attempts gets the same faults and answers even from a restarted simulator.
  const numbered = headerOf(headers, 'x-millrace-attempt');
  const attempt = numbered ?? String(court.sightings.see(hash));
  const draws = new Draws(config.seed, hash, numbered ?? '');
  const rule = court.rules.strike({ endpoint, request, headers, draws, attempt });
  const fault = rule?.fault;
  const about = { fault, requestHash: hash };
  const unlimited = (): Record<string, string> =>
    limitHeaders(endpoint.provider, limits.peek(request.model, nowMs), now);

  const refusal = rule === undefined ? undefined : refusalByRule(rule, endpoint, request, model);
  if (refusal !== undefined) return refused(refusal, { ...about, headers: unlimited() });
  if (fault === 'hang') return { ...nothing, ...about, outcome: 'hang' };

  const answerDraws = config.answersByAttempt ? draws : new Draws(config.seed, hash, '');
  const generation = generate({ request, model, draws: answerDraws, fault, config });
  const { text_output, reasoning } = generation.tokens;
  const tokens = request.inputTokens + text_output + reasoning;
  const decision: LimitDecision = isLimited
    ? limits.take(request.model, tokens, nowMs)
    : { kind: 'admitted', state: limits.peek(request.model, nowMs) };
  const limited = limitHeaders(endpoint.provider, decision.state, now);
  if (decision.kind === 'refused') {
    const { what, limit, retryAfterMs } = decision;
    const limitRefusal = refusalsOf[endpoint.provider].rateLimited(request.model, what, limit, retryAfterMs);
    return refused(limitRefusal, { requestHash: hash, headers: limited });
  }
  const answer: Answer = {
    ...generation,
    id: plea.answerId,
    at: now,
    seed: config.seed,
    model,
    tier: servedTier(model, request.tier),
    request,
    showsUsage: request.wantsUsage && fault !== 'missing_usage',
    isEmpty: fault === 'empty',
  };
  const drawnMs = drawLogNormal(draws.stream('latency'), config.latency.medianMs, config.latency.p99Ms);
  const latencyMs = drawnMs + (rule?.fault === 'slow' ? rule.delayMs : 0);
  const trick =
    fault === undefined ? drawTrick(config, draws, { request, provider: endpoint.provider }) : undefined;
  return { ...nothing, ...about, trick, outcome: 'answer', answer, latencyMs, headers: limited };
}

function refusalByRule(
  rule: FaultRule,
  { provider }: Endpoint,
  request: ModelRequest,
  model: SimulatedModel,
): Refusal | undefined {
  const refusals = refusalsOf[provider];
  switch (rule.fault) {
    case 'rate_limit':
      return refusals.rateLimited(request.model, 'requests', 500, rule.retryAfterMs);
    case 'server_error':
      return refusals.serverError();
    case 'overloaded':
      return refusals.overloaded();
    case 'auth':
      return refusals.unauthorised();
    case 'content_policy':
      return refusals.contentPolicy();
    case 'context_too_long':
      return refusals.contextTooLong(model.contextTokens + request.inputTokens, model.contextTokens);
    default:
      return undefined;
  }
}

/** What the provider refuses whatever the rules say. */
function wrongLimits(
  { provider }: Endpoint,
  request: ModelRequest,
  model: SimulatedModel,
): Refusal | undefined {
  const refusals = refusalsOf[provider];
  const { maxOutputTokens, inputTokens, tier } = request;
  if (tier === 'flex' && model.rates['flex'] === undefined) {
    return refusals.invalidRequest('Invalid service_tier argument', 'service_tier');
  }
  if (maxOutputTokens !== undefined && maxOutputTokens > model.maxOutputTokens) {
    return refusals.invalidRequest(
      `max_tokens: ${maxOutputTokens} > ${model.maxOutputTokens}, which is the maximum allowed number of output tokens for ${request.model}`,
      'max_tokens',
    );
  }
  return inputTokens > model.contextTokens
    ? refusals.contextTooLong(inputTokens, model.contextTokens)
    : undefined;
}

/** A tier that the model is not sold at falls back to the provider's ordinary one. */
function servedTier(model: SimulatedModel, asked: string | undefined): string {
  if (asked !== undefined && model.rates[asked] !== undefined) return asked;
  return ordinaryTier(model);
}

/** Whether the request comes with a key that is let in. */
export function isKeyAccepted(
  provider: SimulatedProvider,
  headers: IncomingHttpHeaders,
  accepted: readonly string[] | undefined,
): boolean {
  const bearer = /^Bearer\s+(.+)$/i.exec(headers.authorization ?? '')?.[1];
  const key = (provider === 'anthropic' ? headerOf(headers, 'x-api-key') : undefined) ?? bearer ?? '';
  return accepted === undefined ? key !== '' : accepted.includes(key);
}

/** A header's first 256 characters, or undefined when it is absent or empty. */
export function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' && value !== '' ? value.slice(0, 256) : undefined;
}
