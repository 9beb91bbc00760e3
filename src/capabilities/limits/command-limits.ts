import type { Installation } from '../../terminal/installation.ts';
import type { LimitsByName } from './limit-book.ts';
import { LimitService } from './limit-service.ts';
import { SetLimits } from './set-limits.ts';

/** Limits of models in an operator's command, which needs no store but the ledger. Throws what opening it throws. */
export function withLimitService<Result>(
  { settings, withLedger }: Installation<{ readonly limits: { readonly models: LimitsByName } }>,
  work: (service: LimitService) => Promise<Result>,
): Promise<Result> {
  return withLedger((access) =>
    work(new LimitService({ configured: settings.limits.models, limits: new SetLimits(access) })),
  );
}
