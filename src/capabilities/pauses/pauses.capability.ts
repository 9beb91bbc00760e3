import { Holds } from '../../engine/ledger/holds.ts';
import { ParkedMessages } from '../../engine/ledger/parked-messages.ts';
import type { Capability } from '../capability.ts';
import { HoldKeeper } from './hold-keeper.ts';
import { HoldOffice } from './hold-office.ts';
import { HoldWatcher } from './hold-watcher.ts';

const watchIntervalMs = 200;
const keepIntervalMs = 250;

/** Kill switches: the office for operators, the watcher of every process, the keeper of the relay. */
export const pauses: Capability<unknown> = {
  name: 'pauses',
  http: async () => (await import('./pauses.http.ts')).httpPart,
  open: ({ database, clock, metrics, logger, engine }) => {
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
  },
};
