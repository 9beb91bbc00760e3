import { CallLedger } from '../../../engine/ledger/call-ledger.ts';
import { CorrectionLedger } from '../../../engine/ledger/correction-ledger.ts';
import { presentPriceBook } from '../../../engine/ledger/present-price-book.ts';
import { ExportLedger } from '../../../engine/export/export-ledger.ts';
import type { Installation } from '../../../terminal/installation.ts';
import type { CostSettings } from '../cost-settings.ts';
import { commandBillLimits } from './bill-text.ts';
import { BillComparison } from './bill-comparison.ts';
import { CallSettlements } from './call-settlements.ts';
import { LedgerUsage } from './ledger-usage.ts';
import { ReconciliationLedger } from './reconciliation-ledger.ts';
import { ReconciliationService } from './reconciliation-service.ts';

/** What it reads of the configuration. */
export interface ReconcileSettings {
  readonly costs: CostSettings;
  readonly models: {
    readonly priceOverlay?: string | undefined;
    readonly providers: Readonly<Record<string, { readonly priceProvider?: string | undefined }>>;
  };
}

/** Reconciliations in an operator's command. Throws what opening the stores throws. */
export async function withReconciliations<Result>(
  { settings, withStores }: Installation<ReconcileSettings>,
  work: (service: ReconciliationService) => Promise<Result>,
): Promise<Result> {
  const { priceOverlay: overlay, providers } = settings.models;
  const priceProviderOf = (provider: string): string => providers[provider]?.priceProvider ?? provider;
  return withStores(async ({ database, columns, clock }) => {
    const pricer = await presentPriceBook(database, overlay);
    return await work(
      new ReconciliationService({
        comparison: new BillComparison({
          usage: new LedgerUsage(columns, settings.costs.reports),
          pricer,
          priceProviderOf,
        }),
        ledger: new ReconciliationLedger(database),
        settlements: new CallSettlements({
          calls: new CallLedger({ database, clock }),
          corrections: new CorrectionLedger(database),
          pricer,
          priceProviderOf,
          clock,
        }),
        exportLagSeconds: async () => (await new ExportLedger(database).backlog()).oldestSeconds,
        clock,
        billLimits: commandBillLimits,
      }),
    );
  });
}
