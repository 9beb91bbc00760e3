import { z } from 'zod';
import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';

/*
 * Whether the process can do its work. Each store is asked with a time-out. One that is required and away makes the
 * process not ready; one that is not makes it degraded, and it keeps its traffic: usage waits in the ledger while the
 * column store is away.
 */

export const readinessSchema = z.object({
  status: z.enum(['ready', 'degraded', 'not_ready', 'stopping']),
  checks: z.record(
    z.string(),
    z.object({
      status: z.enum(['up', 'down']),
      required: z.boolean(),
      durationMs: z.number(),
      code: z.string().optional().describe('Why it is down.'),
    }),
  ),
});

export type ReadinessReport = z.output<typeof readinessSchema>;
type CheckReport = ReadinessReport['checks'][string];

/** One thing that the process works with. */
export interface ReadinessCheck {
  readonly name: string;
  readonly isRequired: boolean;
  /** Resolves if it answers. */
  readonly ping: () => Promise<void>;
}

export interface ReadinessOptions {
  readonly checks: readonly ReadinessCheck[];
  readonly clock: Clock;
  /** How long a check may take. Default 2 seconds. */
  readonly timeoutMs?: number;
}

/** The causes that are shown: the code of an operating failure, or that there was no answer in time. */
const timedOut = 'TIMEOUT';
const unknownCause = 'MILLRACE_INTERNAL';

export class Readiness {
  readonly #options: ReadinessOptions;
  #isStopping = false;
  #running: Promise<ReadinessReport> | undefined;

  constructor(options: ReadinessOptions) {
    this.#options = options;
  }

  /** From now on the process is not ready, so that no new traffic is sent to it. */
  beginStop(): void {
    this.#isStopping = true;
  }

  /** Asks every store, at most once at a time however many probes come. */
  report(): Promise<ReadinessReport> {
    this.#running ??= this.#check().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #check(): Promise<ReadinessReport> {
    if (this.#isStopping) return { status: 'stopping', checks: {} };
    const entries = await Promise.all(
      this.#options.checks.map(async (check) => [check.name, await this.#ask(check)] as const),
    );
    const down = entries.filter(([, check]) => check.status === 'down');
    const isReady = !down.some(([, check]) => check.required);
    return {
      status: isReady ? (down.length === 0 ? 'ready' : 'degraded') : 'not_ready',
      checks: Object.fromEntries(entries),
    };
  }

  async #ask({ ping, isRequired }: ReadinessCheck): Promise<CheckReport> {
    const { clock, timeoutMs = 2_000 } = this.#options;
    const startedMs = clock.monotonicMs();
    const ended = new AbortController();
    const timeout = clock.sleep(timeoutMs, ended.signal).then(
      () => timedOut,
      () => undefined,
    );
    const answer = ping().then(
      () => undefined,
      (error: unknown) => (error instanceof AppError ? error.code : unknownCause),
    );
    const code = await Promise.race([answer, timeout]);
    ended.abort();
    const durationMs = Math.round(clock.monotonicMs() - startedMs);
    return {
      status: code === undefined ? 'up' : 'down',
      required: isRequired,
      durationMs,
      ...(code === undefined ? {} : { code }),
    };
  }
}
