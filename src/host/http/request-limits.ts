import type { FastifyRequest } from 'fastify';
import type { ApiKeyIdentity } from '../../http/api-key-identity.ts';
import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { BoundLevel } from '../../telemetry/bounds.ts';
import { KeyShares } from '../../http/key-shares.ts';
import { RequestTurns } from './request-turns.ts';

/*
 * How much of the API there is for whom: requests in progress and bytes of bodies in memory, in all and for one key, and requests in a
 * minute for one key and route, and in all for a key with a limit of its own. All state is bounded: a counter lives for the minute it counts.
 */

export interface RequestLimitSettings {
  /** Requests in progress at once, without health and metrics. */
  readonly concurrentRequests: number;
  /** Of these, of one key. Default a fifth. */
  readonly concurrentRequestsPerKey?: number | undefined;
  /** Bytes of bodies in memory at once; of one key a fifth, or one largest body. */
  readonly bodyBytesInFlight: number;
  /** Bytes of one body. */
  readonly bodyBytes: number;
  /** How long a body may take to arrive. */
  readonly bodyTimeoutMs: number;
  /** The same of one that is handed on as it arrives, where something of it arrives all the time. */
  readonly uploadTimeoutMs: number;
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
  bodyBytes: 16_777_216,
  bodyTimeoutMs: 20_000,
  uploadTimeoutMs: 3_600_000,
  requestsPerMinute: 60_000,
  eventBytes: 4_194_304,
  jsonValues: 100_000,
  jsonKeys: 20_000,
};

/** What was refused, as the metric names it. */
export const refusalReasons = [
  'concurrency',
  'key_concurrency',
  'body_bytes',
  'key_body_bytes',
  'body_time',
  'aborted',
  'rate',
  'unauthenticated',
] as const;
export type RefusalReason = (typeof refusalReasons)[number];

const minuteMs = 60_000;
const maxCounters = 10_000;
/** How many keys have room beside each other, unless it is set. */
const shares = 5;
const retryAfterMs = 1000;

/** Why there is no room, and what the caller is answered. */
export interface Refusal {
  readonly reason: RefusalReason;
  readonly error: AppError;
}

/** How much of a minute's requests a key has left: at a route, or in all where it has a limit of its own. */
export interface RateState {
  readonly policy: 'key' | 'key-total';
  readonly limit: number;
  readonly remaining: number;
  readonly resetSeconds: number;
}

export class RequestLimits {
  readonly settings: RequestLimitSettings;
  /** When requests are begun. */
  readonly turns: RequestTurns;
  readonly #clock: Clock;
  readonly #keyRequests: KeyShares;
  readonly #keyBytes: KeyShares;
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
    const { concurrentRequests, concurrentRequestsPerKey, bodyBytesInFlight, bodyBytes } = settings;
    const share = Math.max(1, Math.floor(concurrentRequests / shares));
    this.#keyRequests = new KeyShares(concurrentRequestsPerKey ?? share);
    this.#keyBytes = new KeyShares(Math.max(bodyBytes, Math.floor(bodyBytesInFlight / shares)));
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

  /** Takes a place among those of the key, for a request that has one. A refusal when the key has its share. */
  enterFor(key: string | undefined): Refusal | undefined {
    if (this.#keyRequests.tryToTake(key, 1)) return undefined;
    return refusal(
      'key_concurrency',
      'MILLRACE_RATE_LIMITED',
      `${this.#keyRequests.share} requests of this API key are in progress.`,
    );
  }

  leaveFor(key: string | undefined): void {
    this.#keyRequests.give(key, 1);
  }

  /** Takes room for bytes of a body. A refusal, and none is taken, when there is too little. */
  takeBytes(count: number, key: string | undefined): Refusal | undefined {
    const { bodyBytesInFlight } = this.settings;
    if (this.#bodyBytes + count > bodyBytesInFlight) {
      const text = `${bodyBytesInFlight} bytes of bodies are in memory.`;
      return refusal('body_bytes', 'MILLRACE_OVERLOADED', text);
    }
    if (!this.#keyBytes.tryToTake(key, count)) {
      const text = `${this.#keyBytes.share} bytes of bodies of this API key are in memory.`;
      return refusal('key_body_bytes', 'MILLRACE_RATE_LIMITED', text);
    }
    this.#bodyBytes += count;
    this.#peakBytes = Math.max(this.#peakBytes, this.#bodyBytes);
    return undefined;
  }

  giveBytes(count: number, key: string | undefined): void {
    this.#bodyBytes -= count;
    this.#keyBytes.give(key, count);
  }

  /** Resolves when a body that began now has had its time; rejects when the signal aborts. */
  waitForBody(signal: AbortSignal): Promise<void> {
    return this.#clock.sleep(this.settings.bodyTimeoutMs, signal);
  }

  /** Begins to measure a time; answers how to read it. */
  elapsedMs(): () => number {
    const beganMs = this.#clock.monotonicMs();
    return () => this.#clock.monotonicMs() - beganMs;
  }

  /** Counts a request of a key at a route. Its answer says what is left by each limit; below 0 it is one too many. */
  countRequest(
    { id, requestsPerMinute: own }: Pick<ApiKeyIdentity, 'id' | 'requestsPerMinute'>,
    route: string,
  ): readonly RateState[] {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#windowStartMs >= minuteMs) {
      this.#windowStartMs = nowMs;
      this.#counters.clear();
    }
    const resetSeconds = Math.max(1, Math.ceil((this.#windowStartMs + minuteMs - nowMs) / 1000));
    const state = (policy: RateState['policy'], name: string, limit: number): RateState => ({
      policy,
      limit,
      remaining: limit - this.#count(name),
      resetSeconds,
    });
    return [
      state('key', `${id} ${route}`, this.settings.requestsPerMinute),
      ...(own === undefined ? [] : [state('key-total', id, own)]),
    ];
  }

  #count(name: string): number {
    const count = (this.#counters.get(name) ?? 0) + 1;
    if (count > 1 || this.#counters.size < maxCounters) this.#counters.set(name, count);
    return count;
  }
}

function refusal(
  reason: RefusalReason,
  code: 'MILLRACE_OVERLOADED' | 'MILLRACE_RATE_LIMITED',
  text: string,
): Refusal {
  return { reason, error: new AppError(code, text, { retryAfterMs }) };
}

/** The method and path of the route that a request goes to, as the router knows it. */
export function routeOf(request: FastifyRequest): string {
  return `${request.method} ${request.routeOptions.url ?? 'none'}`;
}
