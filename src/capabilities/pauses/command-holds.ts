import { Holds } from '../../engine/ledger/holds.ts';
import type { Installation } from '../../terminal/installation.ts';
import { HoldOffice } from './hold-office.ts';

/** Holds in an operator's command: work can be stopped while every store but the ledger is away. Throws what opening it throws. */
export function withHoldOffice<Result>(
  installation: Installation<unknown>,
  work: (office: HoldOffice) => Promise<Result>,
): Promise<Result> {
  return installation.withLedger(({ database, clock }) =>
    work(new HoldOffice(new Holds({ database, clock }))),
  );
}
