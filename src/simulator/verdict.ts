import type { IncomingHttpHeaders } from 'node:http';
import type { Clock } from '../kernel/clock.ts';
import { generate } from './answers.ts';
import { Draws, drawLogNormal, requestHash } from './draws.ts';
import type { Answer, Endpoint, ModelRequest } from './endpoint.ts';
import type { FaultRules } from './faults.ts';
import { type Refusal, refusalsOf } from './provider-errors.ts';
import { limitHeaders, type RateLimits } from './rate-limits.ts';
import type { Sightings } from './sightings.ts';
import type { FaultName, FaultRule, SimulatorConfig } from './simulator-config.ts';
import { drawTrick, type Trick } from './tricks.ts';
import { findSimulatedModel, type SimulatedModel } from './simulator-prices.ts';

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
  if (!isKeyAccepted(endpoint, headers, court.config.apiKeys)) return refused(refusals.unauthorised());
  if (endpoint.provider === 'anthropic' && headers['anthropic-version'] === undefined) {
    return refused(refusals.invalidRequest('anthropic-version: header is required'));
  }
  const json = parseJson(plea.body);
  if (json === undefined)
    return refused(refusals.invalidRequest('We could not parse the JSON body of your request.'));
  const parsed = endpoint.parse(json, court.config.charactersPerToken);
  if (parsed.kind === 'refused') return refused(parsed.refusal);
  const { request } = parsed;
  const model = findSimulatedModel(endpoint.provider, request.model);
  const isServed = model !== undefined && (model.kind === 'embedding') === (endpoint.name === 'embeddings');
  if (!isServed) return refused(refusals.unknownModel(request.model));
  const wrong = wrongLimits(endpoint, request, model);
  if (wrong !== undefined) return refused(wrong);
  return judgeModelRequest(court, plea, { request, model, hash: requestHash(endpoint.path, json) });
}

interface Hearing {
  readonly request: ModelRequest;
  readonly model: SimulatedModel;
  readonly hash: string;
}

function judgeModelRequest(court: Court, plea: Plea, { request, model, hash }: Hearing): Verdict {
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

  const generation = generate({ request, model, draws, fault, config });
  const { text_output, reasoning } = generation.tokens;
  const decision = limits.take(request.model, request.inputTokens + text_output + reasoning, nowMs);
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
  return model.provider === 'openai' ? 'default' : 'standard';
}

function isKeyAccepted(
  endpoint: Endpoint,
  headers: IncomingHttpHeaders,
  accepted: readonly string[] | undefined,
): boolean {
  const bearer = /^Bearer\s+(.+)$/i.exec(headers.authorization ?? '')?.[1];
  const key =
    (endpoint.provider === 'anthropic' ? headerOf(headers, 'x-api-key') : undefined) ?? bearer ?? '';
  return accepted === undefined ? key !== '' : accepted.includes(key);
}

/** A header's first 256 characters, or undefined when it is absent or empty. */
export function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' && value !== '' ? value.slice(0, 256) : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Not JSON: the caller refuses it as its provider does.
    return undefined;
  }
}
