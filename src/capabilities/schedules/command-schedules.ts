import type { Installation } from '../../terminal/installation.ts';
import { RunLedger } from './run-ledger.ts';
import { ScheduleService } from './schedule-service.ts';
import type { ScheduleSettings } from './schedule-settings.ts';
import { ScheduleStore } from './schedule-store.ts';

/** What commands about schedules read of the configuration. */
export interface ScheduleCommandSettings {
  readonly schedules: ScheduleSettings;
}

/** Schedules in an operator's command, beside a running host too. Throws what opening the ledger throws. */
export function withScheduleService<Result>(
  { settings, withLedger }: Pick<Installation<ScheduleCommandSettings>, 'settings' | 'withLedger'>,
  work: (service: ScheduleService) => Promise<Result>,
): Promise<Result> {
  return withLedger(({ database, clock }) => {
    const store = new ScheduleStore({ database, clock, bounds: settings.schedules });
    return work(new ScheduleService({ store, runs: new RunLedger(database), database, clock }));
  });
}
