import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import { Parked } from '../../engine/parked.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { LimitMetrics } from './limit-metrics.ts';
import type { CallGate, GateEnd, GatePass, GateQuestion } from '../../engine/calls/call-gate.ts';
import { ExpectedTokens } from './expected-tokens.ts';
import { readLimit } from './limit-headers.ts';
import { LimitLane, maxParkMs } from './limit-lane.ts';
import type { LimitAnswer, LimitCorrection, ModelLimit, ModelLimits } from './model-limits.ts';
import type { Buckets } from './token-bucket.ts';
import { WaitingPlaces } from './waiting-places.ts';
import type { LimitBounds } from './limit-names.ts';

/*
 * Requests and tokens a minute of each model, for all processes together.
 *
 *   estimate ─► take from the model's buckets ─┬─ there is enough        ─► go
 *                                              ├─ soon, and a place free ─► wait holding the slot, then go
 *                                              └─ later                  ─► Parked, with a time to come back
 *   after the answer: the estimate is settled to the truth; the provider's headers lower what we believe is left; a 429
 *   blocks the model for everyone until the time that the provider named, within `maxBlockMs`.
 */

export interface RateGateOptions {
  /** By "provider/model", or "provider/*" for every model of the provider without an entry of its own. */
  readonly limits: Readonly<Record<string, ModelLimit>>;
  readonly store: ModelLimits;
  /** After this long others look again, whatever the provider told one of them. */
  readonly maxBlockMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: LimitMetrics;
  readonly bounds?: LimitBounds;
  /** How many messages of a stage this process may work on at once at present; undefined outside of stages. */
  readonly slotsOf: (stage: string) => number | undefined;
  /** Told of every wait that begins and holds a slot of the stage meanwhile. */
  readonly onWait?: (stage: string, waitMs: number) => void;
  /** Told of every request that is put aside: after this time one like it would be let through. */
  readonly onPark?: (stage: string, slotInMs: number) => void;
}

const maxWaitInPlaceMs = 3000;
const maxWaitingInProcess = 1000;
const minParkMs = 250;
/** A 429 that names no time. */
const defaultBlockMs = 1000;
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
  readonly lane: LimitLane;
  readonly question: GateQuestion;
  readonly inputTokens: number;
  readonly tokens: number;
  readonly answer: LimitAnswer;
  readonly sentAtMs: number;
}

export class RateGate implements CallGate {
  readonly #options: RateGateOptions;
  readonly #lanes = new Map<string, LimitLane>();
  readonly #expected = new ExpectedTokens();
  readonly #places: WaitingPlaces;
  readonly #corrections = new Set<Promise<void>>();
  #hasComplained = false;

  constructor(options: RateGateOptions) {
    this.#options = options;
    this.#places = new WaitingPlaces(options.slotsOf, maxWaitingInProcess);
    options.bounds?.register('limit_waits', this.#places);
  }

  /** Lets the request through when its model's limits allow it. Throws Parked when the wait would be long. */
  async enter(question: GateQuestion): Promise<GatePass> {
    const lane = this.#laneOf(question);
    if (lane.limit === undefined) {
      const blockedMs = lane.blockedMs(this.#options.clock.monotonicMs());
      if (blockedMs > 0)
        await this.#inPlace(question.stage, (mayWait) => this.#waitOut(lane, question, mayWait));
      return { end: (end) => void this.#blockIfRefused(lane, end) };
    }
    const inputTokens = await inputTokensOf(question);
    const tokens = this.#expected.expect(question, inputTokens);
    const askedAtMs = this.#options.clock.monotonicMs();
    const answer = await this.#inPlace(question.stage, (mayWait) =>
      this.#take(lane, question, tokens, mayWait),
    );
    const sentAtMs = this.#options.clock.monotonicMs();
    this.#noteWait(lane, sentAtMs - askedAtMs);
    const granted: Granted = { lane, question, inputTokens, tokens, answer, sentAtMs };
    return { end: (end) => this.#settle(granted, end) };
  }

  /** Resolves when the last correction is written. */
  async close(): Promise<void> {
    while (this.#corrections.size > 0) await Promise.all(this.#corrections);
  }

  /** Does what may wait, holding one of the places for it if there is one. */
  async #inPlace<T>(stage: string, work: (mayWait: boolean) => Promise<T>): Promise<T> {
    const mayWait = this.#places.hold(stage);
    try {
      return await work(mayWait);
    } finally {
      if (mayWait) this.#places.release(stage);
    }
  }

  async #take(
    lane: LimitLane,
    { signal, stage }: GateQuestion,
    tokens: number,
    mayWait: boolean,
  ): Promise<LimitAnswer> {
    const { clock, store } = this.#options;
    const { provider, model, limit = {} } = lane;
    const maxWaitMs = mayWait ? maxWaitInPlaceMs : 0;
    // What is known to be too early need not be asked.
    const expectedMs = lane.waitMs(tokens, clock.monotonicMs());
    if (expectedMs > maxWaitMs) throw this.#parked(lane, stage, tokens, expectedMs);
    const answer = await store.take({ provider, model, limit, tokens, maxWaitMs });
    this.#learn(lane, answer.state);
    if (!answer.isGranted) throw this.#parked(lane, stage, tokens, answer.waitMs);
    try {
      if (answer.waitMs > 0) await this.#sleep(stage, answer.waitMs, signal);
      await this.#waitOut(lane, { signal, stage }, mayWait, tokens);
    } catch (error) {
      this.#correct(lane, { ...nothingSent, tokensBack: tokens, marks: answer.marks });
      throw error;
    }
    return answer;
  }

  /** Waits until the provider's block is over, if that is soon. Those who waited do not all go at the same moment. */
  async #waitOut(
    lane: LimitLane,
    { signal, stage }: Pick<GateQuestion, 'signal' | 'stage'>,
    mayWait: boolean,
    tokens = 0,
  ): Promise<void> {
    const { clock, random } = this.#options;
    for (;;) {
      const blockedMs = lane.blockedMs(clock.monotonicMs());
      if (blockedMs === 0) return;
      if (!mayWait || blockedMs > maxWaitInPlaceMs) throw this.#parked(lane, stage, tokens, blockedMs);
      await this.#sleep(stage, blockedMs + random() * Math.min(1000, blockedMs), signal);
    }
  }

  async #sleep(stage: string, waitMs: number, signal: AbortSignal): Promise<void> {
    this.#options.onWait?.(stage, waitMs);
    await this.#options.clock.sleep(Math.ceil(waitMs), signal);
  }

  #settle({ lane, question, inputTokens, tokens, answer, sentAtMs }: Granted, end: GateEnd): void {
    if (end.kind === 'not_sent') {
      this.#correct(lane, { ...nothingSent, tokensBack: tokens, marks: answer.marks });
      return;
    }
    const used = end.tokens ?? (uncounted.has(end.failure ?? '') ? 0 : tokens);
    if (end.failure === undefined && end.tokens !== undefined)
      this.#expected.learn(question, inputTokens, end.tokens);
    this.#correct(lane, {
      requestsBack: end.failure === 'rate_limited' ? 1 : 0,
      tokensBack: tokens - used,
      blockMs: this.#blockIfRefused(lane, end),
      sentMsAgo: this.#options.clock.monotonicMs() - sentAtMs,
      marks: answer.marks,
      tokensSlack: Math.max(2 * tokens, (answer.state.tokens?.perMinute ?? 0) * 0.01),
      told: { requests: readLimit(end.headers, 'requests'), tokens: readLimit(end.headers, 'tokens') },
    });
  }

  /** A provider that refused for its limit is left alone for the time that it named. */
  #blockIfRefused(lane: LimitLane, end: GateEnd): number {
    if (end.kind !== 'sent' || end.failure !== 'rate_limited') return 0;
    const blockMs = Math.min(this.#options.maxBlockMs, Math.max(1, end.retryAfterMs ?? defaultBlockMs));
    lane.block(blockMs, this.#options.clock.monotonicMs());
    return blockMs;
  }

  #correct(lane: LimitLane, correction: Omit<LimitCorrection, 'provider' | 'model'>): void {
    const { provider, model } = lane;
    const written = this.#options.store
      .correct({ provider, model, ...correction })
      .then((state) => {
        if (state !== undefined) this.#learn(lane, state);
      })
      .catch((error: unknown) => this.#complain(error))
      .finally(() => this.#corrections.delete(written));
    this.#corrections.add(written);
  }

  /** What was not given back refills by itself: the limit is then used less than it could be, never more. */
  #complain(error: unknown): void {
    if (this.#hasComplained) return;
    this.#hasComplained = true;
    this.#options.logger.warn(
      { error, code: error instanceof AppError ? error.code : undefined },
      'a model limit could not be settled to the truth; estimates stand until the ledger is back',
    );
  }

  #learn(lane: LimitLane, state: Buckets): void {
    lane.learn(state, this.#options.clock.monotonicMs());
    const { provider, model } = lane;
    for (const kind of ['requests', 'tokens'] as const) {
      const bucket = state[kind];
      if (bucket === undefined) continue;
      const labels = { provider, model, kind };
      this.#options.metrics.set('llm_limit_per_minute', labels, bucket.perMinute);
      this.#options.metrics.set('llm_limit_remaining', labels, Math.max(0, Math.floor(bucket.level)));
    }
  }

  #noteWait({ provider, model }: LimitLane, waitedMs: number): void {
    this.#options.metrics.observe('llm_limit_wait_seconds', { provider, model }, waitedMs / 1000);
  }

  #parked(lane: LimitLane, stage: string, tokens: number, waitMs: number): Parked {
    const { clock, random, onPark } = this.#options;
    onPark?.(stage, Math.max(0, waitMs - maxWaitInPlaceMs));
    const nowMs = clock.monotonicMs();
    const inTurnMs = lane.parkUntilMs(tokens, waitMs, nowMs) - nowMs;
    const delayMs =
      inTurnMs < maxParkMs ? inTurnMs * (1 + 0.2 * random()) : maxParkMs * (0.5 + 0.5 * random());
    return new Parked(`${lane.provider}/${lane.model} is at its limit for another ${Math.ceil(waitMs)} ms`, {
      reason: 'rate_limit',
      about: `${lane.provider}/${lane.model}`,
      delayMs: Math.round(Math.max(minParkMs, delayMs)),
    });
  }

  #laneOf({ provider, model }: GateQuestion): LimitLane {
    const name = `${provider}/${model}`;
    const known = this.#lanes.get(name);
    if (known !== undefined) return known;
    const { limits } = this.#options;
    const limit = limits[name] ?? limits[`${provider}/*`];
    const hasLimit = limit?.requestsPerMinute !== undefined || limit?.tokensPerMinute !== undefined;
    const lane = new LimitLane(provider, model, hasLimit ? limit : undefined);
    this.#lanes.set(name, lane);
    return lane;
  }
}

const unknown = { perMinute: undefined, remaining: undefined };
const nothingSent = {
  requestsBack: 1,
  blockMs: 0,
  sentMsAgo: 0,
  tokensSlack: 0,
  told: { requests: unknown, tokens: unknown },
} as const;

/** A token has four characters or so; a byte of the bound is at most one of them. */
async function inputTokensOf({ estimateTokens, maxInputTokens }: GateQuestion): Promise<number> {
  return estimateTokens === undefined ? Math.ceil(maxInputTokens / 4) : await estimateTokens();
}
