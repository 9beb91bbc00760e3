import { Holds } from '../../engine/ledger/holds.ts';
import { ParkedMessages } from '../../engine/ledger/parked-messages.ts';
import type { CapabilityContext, CapabilityParts, NameOf } from '../capability.ts';
import { HoldKeeper } from './hold-keeper.ts';
import { HoldOffice } from './hold-office.ts';
import { HoldWatcher } from './hold-watcher.ts';
import type { pauseMetrics } from './pause-metrics.ts';
import type { pauseNames } from './pause-names.ts';

const watchIntervalMs = 200;
const keepIntervalMs = 250;

/** Composes the holds: the office, the watcher, the keeper. */
export function openPauses({
  database,
  clock,
  metrics,
  logger,
  engine,
}: CapabilityContext<unknown, typeof pauseMetrics>): CapabilityParts<NameOf<typeof pauseNames, 'jobs'>> {
  const { registry, leases, models, publisher, workers } = engine;
  const holds = new Holds({ database, clock });
  const parked = new ParkedMessages(database);
  const watcher = new HoldWatcher({ holds, leases, gateway: models, registry, workers, metrics, logger });
  const keeper = new HoldKeeper({ holds, parked, publisher, registry, metrics });
  return {
    services: [[HoldOffice, new HoldOffice(holds)]],
    jobs: [
      {
        name: 'watch_holds',
        intervalMs: watchIntervalMs,
        runsIn: 'every_process',
        turn: () => watcher.look(),
      },
      { name: 'keep_holds', intervalMs: keepIntervalMs, runsIn: 'relay', turn: () => keeper.keep() },
    ],
    beforeWork: async () => {
      await watcher.look();
    },
  };
}
