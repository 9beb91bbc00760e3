import { Parked } from '../../engine/parked.ts';
import type { GateQuestion } from '../../engine/calls/call-gate.ts';
import type { Clock } from '../../kernel/clock.ts';
import { type ModelLimiter, maxParkMs } from './model-limiter.ts';
import type { WaitLimiter } from './wait-limiter.ts';

export interface LimitWaitsOptions {
  readonly places: WaitLimiter;
  readonly clock: Clock;
  readonly random: () => number;
  /** Called for every wait that begins and holds a slot of the stage meanwhile. */
  readonly onWait?: ((stage: string, waitMs: number) => void) | undefined;
  /** Called for every request that is put aside: after this time one like it would be let through. */
  readonly onPark?: ((stage: string, slotInMs: number) => void) | undefined;
}

export const maxWaitInPlaceMs = 3000;
const minParkMs = 250;

/** Waits of requests for their limits: in their slot where they are short, otherwise put aside. */
export class LimitWaits {
  readonly #options: LimitWaitsOptions;

  constructor(options: LimitWaitsOptions) {
    this.#options = options;
  }

  /** Does what may wait, holding one of the places for it if there is one. */
  async inPlace<T>(stage: string, work: (mayWait: boolean) => Promise<T>): Promise<T> {
    const { places } = this.#options;
    const mayWait = places.acquire(stage);
    try {
      return await work(mayWait);
    } finally {
      if (mayWait) places.release(stage);
    }
  }

  /** Waits until the model's cool-down is over, if that is soon. Those who waited do not all go at the same moment. */
  async waitOut(
    lane: ModelLimiter,
    { signal, stage }: Pick<GateQuestion, 'signal' | 'stage'>,
    mayWait: boolean,
    tokens = 0,
  ): Promise<void> {
    const { clock, random } = this.#options;
    for (;;) {
      const cooldownMs = lane.cooldownMs(clock.monotonicMs());
      if (cooldownMs === 0) return;
      if (!mayWait || cooldownMs > maxWaitInPlaceMs) throw this.parked(lane, stage, tokens, cooldownMs);
      await this.sleep(stage, cooldownMs + random() * Math.min(1000, cooldownMs), signal);
    }
  }

  /** Waits so long, holding the slot. */
  async sleep(stage: string, waitMs: number, signal: AbortSignal): Promise<void> {
    this.#options.onWait?.(stage, waitMs);
    await this.#options.clock.sleep(Math.ceil(waitMs), signal);
  }

  /** The request is put aside: it comes back behind those that were put aside before it. */
  parked(lane: ModelLimiter, stage: string, tokens: number, waitMs: number): Parked {
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
}
