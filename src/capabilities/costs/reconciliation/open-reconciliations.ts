import { ConcurrencyLimiter } from '../../../kernel/concurrency-limiter.ts';
import { CallLedger } from '../../../engine/ledger/call-ledger.ts';
import { CorrectionLedger } from '../../../engine/ledger/correction-ledger.ts';
import type { CapabilityContext } from '../../capability.ts';
import type { QueryLimits } from '../query-limits.ts';
import { BillComparison } from './bill-comparison.ts';
import { billProviders } from './bill.ts';
import { CallSettlements } from './call-settlements.ts';
import { LedgerUsage } from './ledger-usage.ts';
import { ReconciliationLedger } from './reconciliation-ledger.ts';
import type { reconciliationMetrics } from './reconciliation-metrics.ts';
import { ReconciliationService } from './reconciliation-service.ts';

/** Each reads a whole bill into memory. */
const atOnce = 1;
const maxWaiting = 4;
const maxWaitMs = 20_000;
const dayMs = 86_400_000;
const shownDays = 92;

/** Composes the comparison of bills. */
export function openReconciliations(
  context: CapabilityContext<unknown, typeof reconciliationMetrics, never, 'reconciliations'>,
  limits: QueryLimits,
): { readonly service: ReconciliationService; readonly readGauges: () => Promise<void> } {
  const { database, columns, clock, bounds, metrics, engine } = context;
  const { pricer, providers, exports } = engine;
  const limiter = new ConcurrencyLimiter({
    what: 'Reconciliations',
    limit: atOnce,
    maxWaiting,
    maxWaitMs,
    clock,
  });
  bounds.register('reconciliations', limiter);
  const ledger = new ReconciliationLedger(database);
  const priceProviderOf = (provider: string): string => providers.priceProviderOf(provider);
  const service = new ReconciliationService({
    comparison: new BillComparison({ usage: new LedgerUsage(columns, limits), pricer, priceProviderOf }),
    ledger,
    settlements: new CallSettlements({
      calls: new CallLedger({ database, clock }),
      corrections: new CorrectionLedger(database),
      pricer,
      priceProviderOf,
      clock,
    }),
    exportLagSeconds: async () => (await exports.backlog()).oldestSeconds,
    clock,
    limiter,
  });
  return {
    service,
    readGauges: async () => {
      const sums = await ledger.sums(
        new Date(clock.now().getTime() - shownDays * dayMs).toISOString().slice(0, 10),
      );
      for (const provider of billProviders) {
        const found = sums.find((one) => one.provider === provider);
        metrics.set('reconciliation_residual_usd', { provider }, found?.residualUsd ?? 0);
        metrics.set('reconciliations_open', { provider }, found?.openDays ?? 0);
      }
    },
  };
}
