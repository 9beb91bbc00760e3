import { Blocks } from '../../engine/ledger/blocks.ts';
import type { Installation } from '../../terminal/installation.ts';
import { PauseService } from './pause-service.ts';

/** Pauses in an operator's command: work can be stopped while every store but the ledger is away. Throws what opening it throws. */
export function withPauseService<Result>(
  installation: Installation<unknown>,
  work: (service: PauseService) => Promise<Result>,
): Promise<Result> {
  return installation.withLedger(({ database, clock }) =>
    work(new PauseService(new Blocks({ database, clock }))),
  );
}
