import type { FastifyRequest } from 'fastify';
import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { BoundLevel } from '../../telemetry/bounds.ts';
import { RequestTurns } from './request-turns.ts';

/*
 * How much of the API there is for whom: requests in hand in all, bytes of bodies in hand in all, and requests in a
 * minute for one key and route. All state is bounded: a counter lives for the minute it counts.
 */

export interface RequestLimitSettings {
  /** Requests in hand at once, without health and metrics. */
  readonly concurrentRequests: number;
  /** Bytes of bodies in hand at once. */
  readonly bodyBytesInFlight: number;
  /** Requests of one key to one route in a minute. */
  readonly requestsPerMinute: number;
  /** Bytes of one event. */
  readonly eventBytes: number;
  /** Values in one event or in one body that is no batch. */
  readonly jsonValues: number;
  /** Members of objects in one event or in one body that is no batch. */
  readonly jsonKeys: number;
}

export const defaultRequestLimits: RequestLimitSettings = {
  concurrentRequests: 500,
  bodyBytesInFlight: 268_435_456,
  requestsPerMinute: 60_000,
  eventBytes: 4_194_304,
  jsonValues: 100_000,
  jsonKeys: 20_000,
};

/** What was refused, as the metric names it. */
export const refusalReasons = ['concurrency', 'body_bytes', 'rate', 'unauthenticated'] as const;
export type RefusalReason = (typeof refusalReasons)[number];

const minuteMs = 60_000;
const maxCounters = 10_000;

/** How much of a minute's requests a key has left at a route. */
export interface RateState {
  readonly limit: number;
  readonly remaining: number;
  readonly resetSeconds: number;
}

export class RequestLimits {
  readonly settings: RequestLimitSettings;
  /** When requests are begun. */
  readonly turns: RequestTurns;
  readonly #clock: Clock;
  #requests = 0;
  #bodyBytes = 0;
  #peakRequests = 0;
  #peakBytes = 0;
  #windowStartMs = -Infinity;
  readonly #counters = new Map<string, number>();

  constructor(settings: RequestLimitSettings, clock: Clock) {
    this.settings = settings;
    this.turns = new RequestTurns(clock);
    this.#clock = clock;
  }

  /** The bounds, as they are read for metrics. */
  get levels(): Readonly<Record<'requests' | 'bodyBytes' | 'turns', BoundLevel>> {
    return {
      turns: this.turns,
      requests: {
        limit: this.settings.concurrentRequests,
        takePeak: () => {
          const peak = this.#peakRequests;
          this.#peakRequests = this.#requests;
          return peak;
        },
      },
      bodyBytes: {
        limit: this.settings.bodyBytesInFlight,
        takePeak: () => {
          const peak = this.#peakBytes;
          this.#peakBytes = this.#bodyBytes;
          return peak;
        },
      },
    };
  }

  /** Takes a place for a request; answers how to give it back, once. Undefined when there is none. */
  tryToEnter(): (() => void) | undefined {
    if (this.#requests >= this.settings.concurrentRequests) return undefined;
    this.#requests += 1;
    this.#peakRequests = Math.max(this.#peakRequests, this.#requests);
    return () => {
      this.#requests -= 1;
    };
  }

  /** Takes room for bytes of a body. Throws MILLRACE_OVERLOADED and takes none when there is too little. */
  takeBytes(count: number): void {
    const { bodyBytesInFlight } = this.settings;
    if (this.#bodyBytes + count > bodyBytesInFlight) {
      throw new AppError('MILLRACE_OVERLOADED', `${bodyBytesInFlight} bytes of bodies are in hand.`, {
        retryAfterMs: 1000,
      });
    }
    this.#bodyBytes += count;
    this.#peakBytes = Math.max(this.#peakBytes, this.#bodyBytes);
  }

  giveBytes(count: number): void {
    this.#bodyBytes -= count;
  }

  /** Counts a request of a key at a route. Its answer says what is left; below 0 it is one too many. */
  countRequest(keyId: string, route: string): RateState {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#windowStartMs >= minuteMs) {
      this.#windowStartMs = nowMs;
      this.#counters.clear();
    }
    const { requestsPerMinute: limit } = this.settings;
    const resetSeconds = Math.max(1, Math.ceil((this.#windowStartMs + minuteMs - nowMs) / 1000));
    const name = `${keyId} ${route}`;
    const count = (this.#counters.get(name) ?? 0) + 1;
    if (count > 1 || this.#counters.size < maxCounters) this.#counters.set(name, count);
    return { limit, remaining: limit - count, resetSeconds };
  }
}

/** The method and path of the route that a request goes to, as the router knows it. */
export function routeOf(request: FastifyRequest): string {
  return `${request.method} ${request.routeOptions.url ?? 'none'}`;
}
