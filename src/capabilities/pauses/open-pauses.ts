import { Blocks } from '../../engine/ledger/blocks.ts';
import { ParkedMessages } from '../../engine/ledger/parked-messages.ts';
import type { CapabilityContext, CapabilityParts, NameOf } from '../capability.ts';
import { PauseReleaser } from './pause-releaser.ts';
import { PauseService } from './pause-service.ts';
import { PauseWatcher } from './pause-watcher.ts';
import type { pauseMetrics } from './pause-metrics.ts';
import type { pauseNames } from './pause-names.ts';

const watchIntervalMs = 200;
const releaseIntervalMs = 250;

/** Composes the pauses: the service, the watcher, the releaser. */
export function openPauses({
  database,
  clock,
  metrics,
  logger,
  engine,
}: CapabilityContext<unknown, typeof pauseMetrics>): CapabilityParts<NameOf<typeof pauseNames, 'jobs'>> {
  const { registry, leases, models, publisher, workers } = engine;
  const blocks = new Blocks({ database, clock });
  const parked = new ParkedMessages(database);
  const watcher = new PauseWatcher({
    blocks,
    leases,
    meteredModels: models,
    registry,
    workers,
    metrics,
    logger,
  });
  const releaser = new PauseReleaser({ blocks, parked, publisher, registry, metrics });
  return {
    services: [[PauseService, new PauseService(blocks)]],
    jobs: [
      {
        name: 'watch_pauses',
        intervalMs: watchIntervalMs,
        runsIn: 'every_process',
        turn: () => watcher.look(),
      },
      {
        name: 'release_pauses',
        intervalMs: releaseIntervalMs,
        runsIn: 'maintenance',
        turn: () => releaser.release(),
      },
    ],
    beforeWork: async () => {
      await watcher.look();
    },
  };
}
