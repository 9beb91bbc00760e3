import type { SqlDatabase, SqlStatement } from '../drivers/sql-database/sql-database.ts';
import { AppError } from '../kernel/app-error.ts';
import type { BackgroundJob } from '../kernel/background-job.ts';
import type { Clock } from '../kernel/clock.ts';
import { invariant } from '../kernel/invariant.ts';
import { ReferenceClock } from '../kernel/reference-clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MillraceMetrics } from './metric-catalogue.ts';
import type { MakeBackgroundJob } from './job-runner.ts';

/*
 * The time of a host. What is reported and budgeted goes by the ledger's clock, which PostgreSQL's statements read
 * themselves; a host that names a time (the end of a report, when a message ended) names the ledger's too, as it last
 * measured it. An embedded ledger has the clock of this very process: nothing is measured there.
 *
 * A look each second measures again and finds jumps. This machine's clock has jumped when wall and monotonic clock have
 * drifted apart between two looks; the ledger's, when a measurement moves ours. A machine that slept shows both.
 */

/** How far off a clock may be before the process says that it is degraded: what the start-up check warns at. */
const mostOffMs = 2000;
/** Less than this between two looks is adjusting, more is a jump. */
const jumpMs = 500;
const lookEveryMs = 1000;

const readTime: SqlStatement = {
  name: 'clock.read_time',
  text: `select extract(epoch from clock_timestamp())::float8 * 1000 as time_ms`,
};

async function readTimeMs(database: SqlDatabase): Promise<number> {
  const { rows } = await database.query<{ time_ms: number }>(readTime);
  const [row] = rows;
  invariant(row !== undefined, 'a select without a table has one row');
  return row.time_ms;
}

/** The ledger's clock, measured once: for work that is over before clocks drift. */
export async function ledgerClock(database: SqlDatabase, own: Clock): Promise<Clock> {
  const clock = new ReferenceClock(own);
  await clock.measure(() => readTimeMs(database));
  return clock;
}

export interface HostClockOptions {
  readonly own: Clock;
  readonly database: SqlDatabase;
  /** The ledger is in this process and has its clock. */
  readonly isEmbedded: boolean;
  readonly metrics: MillraceMetrics;
  readonly logger: Logger;
}

export class HostClock {
  /** The machine's own clock. */
  readonly own: Clock;
  /** The ledger's time. */
  readonly time: ReferenceClock;
  readonly #options: HostClockOptions;
  /** The wall clock's time less the monotonic clock's, at the last look. */
  #wallDistanceMs: number;
  #isOff = false;

  private constructor(options: HostClockOptions) {
    this.#options = options;
    this.own = options.own;
    this.time = new ReferenceClock(options.own);
    this.#wallDistanceMs = this.#readWallDistanceMs();
    const clocks = ['process', 'ledger'] as const;
    options.metrics.initialise(
      'clock_jumps_total',
      clocks.map((clock) => ({ clock })),
    );
  }

  /** Throws what the ledger throws when it cannot be asked. */
  static async begin(options: HostClockOptions): Promise<HostClock> {
    const clock = new HostClock(options);
    await clock.#measure();
    clock.#noteOffset();
    return clock;
  }

  loop(makeJob: MakeBackgroundJob): BackgroundJob {
    return makeJob('clock', lookEveryMs, () => this.#look());
  }

  /** Throws MILLRACE_CLOCK_OFF while this machine's clock is too far from the ledger's. */
  check(): Promise<void> {
    const offsetMs = this.time.offsetMs();
    if (Math.abs(offsetMs) <= mostOffMs) return Promise.resolve();
    const seconds = (Math.abs(offsetMs) / 1000).toFixed(1);
    return Promise.reject(
      new AppError(
        'MILLRACE_CLOCK_OFF',
        `This machine's clock is ${seconds} s ${offsetMs > 0 ? 'behind' : 'ahead of'} the ledger's.`,
      ),
    );
  }

  async #look(): Promise<boolean> {
    const wasMs = this.#wallDistanceMs;
    this.#wallDistanceMs = this.#readWallDistanceMs();
    this.#noteJump('process', this.#wallDistanceMs - wasMs);
    // While the ledger cannot be asked, our own clock is seen to jump all the same.
    this.#noteOffset();
    this.#noteJump('ledger', await this.#measure());
    this.#noteOffset();
    return false;
  }

  /** Answers by how much the ledger's clock has moved against our monotonic one. */
  async #measure(): Promise<number> {
    const { isEmbedded, database } = this.#options;
    return isEmbedded ? 0 : this.time.measure(() => readTimeMs(database));
  }

  #readWallDistanceMs(): number {
    return this.own.now().getTime() - this.own.monotonicMs();
  }

  #noteJump(clock: 'process' | 'ledger', movedMs: number): void {
    if (Math.abs(movedMs) < jumpMs) return;
    const { metrics, logger, isEmbedded } = this.#options;
    metrics.increment('clock_jumps_total', { clock });
    logger.warn(
      { clock, jumpMs: Math.round(movedMs), isEmbedded },
      clock === 'process' ? "this machine's clock jumped" : "the ledger's clock jumped",
    );
  }

  #noteOffset(): void {
    const { metrics, logger } = this.#options;
    const offsetMs = this.time.offsetMs();
    metrics.set('clock_offset_seconds', {}, offsetMs / 1000);
    const isOff = Math.abs(offsetMs) > mostOffMs;
    if (isOff === this.#isOff) return;
    this.#isOff = isOff;
    const fields = { offsetMs: Math.round(offsetMs) };
    if (isOff)
      logger.warn(fields, "this machine's clock is off; what is spent and reported goes by the ledger's");
    else logger.info(fields, "this machine's clock agrees with the ledger's again");
  }
}
