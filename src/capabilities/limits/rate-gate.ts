import type { CallGate, GateEnd, GatePass, GateQuestion } from '../../engine/calls/call-gate.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { LimitMetrics } from './limit-metrics.ts';
import { ExpectedTokens } from './expected-tokens.ts';
import type { LimitCorrections } from './limit-corrections.ts';
import { readLimit } from './limit-headers.ts';
import type { ModelLimiter } from './model-limiter.ts';
import type { LimitLanes } from './limit-lanes.ts';
import { type LimitWaits, maxWaitInPlaceMs } from './limit-waits.ts';
import type { LimitAnswer, RateLimitStore } from './model-limits.ts';

/*
 * Requests and tokens a minute of each model, for all processes together.
 *
 *   estimate ─► take from the model's buckets ─┬─ there is enough        ─► go
 *                                              ├─ soon, and a place free ─► wait holding the slot, then go
 *                                              └─ later                  ─► Parked, with a time to come back
 *   after the answer: the estimate is settled to the truth; the provider's headers lower what we believe is left; a 429
 *   begins a cool-down of the model for everyone, as long as the provider names, within `maxCooldownMs`.
 */

export interface RateGateOptions {
  readonly lanes: LimitLanes;
  readonly waits: LimitWaits;
  readonly corrections: LimitCorrections;
  readonly store: Pick<RateLimitStore, 'take'>;
  /** After this long others look again, whatever the provider asked of one of them. */
  readonly maxCooldownMs: number;
  readonly clock: Clock;
  readonly metrics: LimitMetrics;
}

/** A 429 that names no time. */
const defaultCooldownMs = 1000;
/** Refusals for which a provider counts no tokens. Of other failures it is not known, and the estimate stands. */
const uncounted: ReadonlySet<string> = new Set([
  'rate_limited',
  'authentication',
  'not_found',
  'bad_request',
  'content_policy',
  'context_too_long',
]);

/** A request that was let through, and by what. */
interface Granted {
  readonly lane: ModelLimiter;
  readonly question: GateQuestion;
  readonly inputTokens: number;
  readonly tokens: number;
  readonly answer: LimitAnswer;
  readonly sentAtMs: number;
}

export class RateGate implements CallGate {
  readonly #options: RateGateOptions;
  readonly #expected = new ExpectedTokens();

  constructor(options: RateGateOptions) {
    this.#options = options;
  }

  /** Lets the request through when its model's limits allow it. Throws Parked when the wait would be long. */
  async enter(question: GateQuestion): Promise<GatePass> {
    const { lanes, waits, clock } = this.#options;
    const lane = lanes.of(question);
    if (lane.limit === undefined) {
      const cooldownMs = lane.cooldownMs(clock.monotonicMs());
      if (cooldownMs > 0)
        await waits.inPlace(question.stage, (mayWait) => waits.waitOut(lane, question, mayWait));
      return { end: (end) => void this.#coolDownIfRefused(lane, end) };
    }
    const inputTokens = await inputTokensOf(question);
    const tokens = this.#expected.expect(question, inputTokens);
    const askedAtMs = clock.monotonicMs();
    const answer = await waits.inPlace(question.stage, (mayWait) =>
      this.#take(lane, question, tokens, mayWait),
    );
    const sentAtMs = clock.monotonicMs();
    this.#noteWait(lane, sentAtMs - askedAtMs);
    const granted: Granted = { lane, question, inputTokens, tokens, answer, sentAtMs };
    return { end: (end) => this.#settle(granted, end) };
  }

  /** Resolves when the last correction is written. */
  close(): Promise<void> {
    return this.#options.corrections.close();
  }

  async #take(
    lane: ModelLimiter,
    { signal, stage }: GateQuestion,
    tokens: number,
    mayWait: boolean,
  ): Promise<LimitAnswer> {
    const { clock, store, lanes, waits, corrections } = this.#options;
    const { provider, model, limit = {} } = lane;
    const maxWaitMs = mayWait ? maxWaitInPlaceMs : 0;
    // What is known to be too early need not be asked.
    const expectedMs = lane.waitMs(tokens, clock.monotonicMs());
    if (expectedMs > maxWaitMs) throw waits.parked(lane, stage, tokens, expectedMs);
    const answer = await store.take({ provider, model, limit, tokens, maxWaitMs });
    lanes.learn(lane, answer.state, clock.monotonicMs());
    if (!answer.isGranted) throw waits.parked(lane, stage, tokens, answer.waitMs);
    try {
      if (answer.waitMs > 0) await waits.sleep(stage, answer.waitMs, signal);
      await waits.waitOut(lane, { signal, stage }, mayWait, tokens);
    } catch (error) {
      corrections.write(lane, { ...nothingSent, tokensBack: tokens, marks: answer.marks });
      throw error;
    }
    return answer;
  }

  #settle({ lane, question, inputTokens, tokens, answer, sentAtMs }: Granted, end: GateEnd): void {
    const { clock, corrections } = this.#options;
    if (end.kind === 'not_sent') {
      corrections.write(lane, { ...nothingSent, tokensBack: tokens, marks: answer.marks });
      return;
    }
    const used = end.tokens ?? (uncounted.has(end.failure ?? '') ? 0 : tokens);
    if (end.failure === undefined && end.tokens !== undefined)
      this.#expected.learn(question, inputTokens, end.tokens);
    corrections.write(lane, {
      requestsBack: end.failure === 'rate_limited' ? 1 : 0,
      tokensBack: tokens - used,
      cooldownMs: this.#coolDownIfRefused(lane, end),
      sentMsAgo: clock.monotonicMs() - sentAtMs,
      marks: answer.marks,
      tokensSlack: Math.max(2 * tokens, (answer.state.tokens?.perMinute ?? 0) * 0.01),
      told: { requests: readLimit(end.headers, 'requests'), tokens: readLimit(end.headers, 'tokens') },
    });
  }

  /** A provider that refused for its limit is left alone for the time that it named. */
  #coolDownIfRefused(lane: ModelLimiter, end: GateEnd): number {
    if (end.kind !== 'sent' || end.failure !== 'rate_limited') return 0;
    const cooldownMs = Math.min(
      this.#options.maxCooldownMs,
      Math.max(1, end.retryAfterMs ?? defaultCooldownMs),
    );
    lane.coolDown(cooldownMs, this.#options.clock.monotonicMs());
    return cooldownMs;
  }

  #noteWait({ provider, model }: ModelLimiter, waitedMs: number): void {
    this.#options.metrics.observe('llm_limit_wait_seconds', { provider, model }, waitedMs / 1000);
  }
}

const unknown = { perMinute: undefined, remaining: undefined };
const nothingSent = {
  requestsBack: 1,
  cooldownMs: 0,
  sentMsAgo: 0,
  tokensSlack: 0,
  told: { requests: unknown, tokens: unknown },
} as const;

/** A token has four characters or so; a byte of the bound is at most one of them. */
async function inputTokensOf({ estimateTokens, maxInputTokens }: GateQuestion): Promise<number> {
  return estimateTokens === undefined ? Math.ceil(maxInputTokens / 4) : await estimateTokens();
}
