import { Holds } from '../engine/ledger/holds.ts';
import { HoldOffice } from '../capabilities/pauses/hold-office.ts';
import type { Configuration } from './configuration.ts';
import { withExistingLedger } from './operator-ledger.ts';

/** Holds in an operator's command: work can be stopped while every store but the ledger is away. Throws what that throws. */
export function withHoldOffice<Result>(
  configuration: Configuration,
  work: (office: HoldOffice) => Promise<Result>,
): Promise<Result> {
  return withExistingLedger(configuration, (database, { clock }) =>
    work(new HoldOffice(new Holds({ database, clock }))),
  );
}
