import type { SqlDatabase } from '../drivers/sql-database/sql-database.ts';
import type { BackgroundLoop } from '../kernel/background-loop.ts';
import type { Clock } from '../kernel/clock.ts';
import { Holds } from '../engine/ledger/holds.ts';
import { ParkedMessages } from '../engine/ledger/parked-messages.ts';
import type { ModelGateway } from '../engine/calls/model-gateway.ts';
import { HoldOffice } from '../capabilities/pauses/hold-office.ts';
import { HoldKeeper } from '../capabilities/pauses/hold-keeper.ts';
import { HoldWatcher } from '../capabilities/pauses/hold-watcher.ts';
import type { LeaseKeeper } from '../engine/pipeline/lease-keeper.ts';
import type { Publisher } from '../engine/pipeline/publisher.ts';
import type { StageRegistry } from '../engine/pipeline/stage-registry.ts';
import type { StageWorker } from '../engine/pipeline/stage-worker.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MillraceMetrics } from '../telemetry/metrics.ts';
import type { MakeChore } from './chores.ts';

export interface HostHoldsOptions {
  readonly database: SqlDatabase;
  readonly clock: Clock;
  readonly metrics: MillraceMetrics;
  readonly logger: Logger;
  readonly publisher: Publisher;
  readonly leases: LeaseKeeper;
  readonly gateway: ModelGateway;
  readonly registry: StageRegistry;
  /** The stages that this process works on, by now. */
  readonly workers: () => readonly StageWorker[];
}

const watchPauseMs = 200;
const keepPauseMs = 250;

/** A host's kill switches: the office for operators, the watcher of every process, the keeper of the relay. */
export class HostHolds {
  readonly holds: Holds;
  readonly parked: ParkedMessages;
  readonly office: HoldOffice;
  readonly watcher: HoldWatcher;
  readonly #keeper: HoldKeeper;

  constructor({ database, clock, publisher, ...options }: HostHoldsOptions) {
    this.holds = new Holds({ database, clock });
    this.parked = new ParkedMessages(database);
    this.office = new HoldOffice(this.holds);
    this.watcher = new HoldWatcher({ ...options, holds: this.holds });
    const { holds, parked } = this;
    const { metrics, registry } = options;
    this.#keeper = new HoldKeeper({ holds, parked, publisher, registry, metrics });
  }

  /** What every process does all the time. */
  watchLoop(make: MakeChore): BackgroundLoop {
    return make('watch_holds', watchPauseMs, () => this.watcher.look());
  }

  /** What one relay at a time does. */
  keepLoop(make: MakeChore, alone: (turn: () => Promise<boolean>) => () => Promise<boolean>): BackgroundLoop {
    return make(
      'keep_holds',
      keepPauseMs,
      alone(() => this.#keeper.keep()),
    );
  }
}
