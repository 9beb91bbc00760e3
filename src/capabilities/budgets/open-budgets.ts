import type { CapabilityContext, CapabilityParts, NameOf } from '../capability.ts';
import { BudgetAlerts } from './budget-alerts.ts';
import { BudgetReleaser } from './budget-releaser.ts';
import { BudgetOperations } from './budget-operations.ts';
import { BudgetService } from './budget-service.ts';
import type { BudgetSetting } from './budget-settings.ts';
import { BudgetWatch } from './budget-watch.ts';
import type { budgetMetrics } from './budget-metrics.ts';
import type { budgetNames } from './budget-names.ts';

interface BudgetSettings {
  readonly budgets: readonly BudgetSetting[];
}

/** Composes the budgets: their watch, their reports, the release of what waits for one. */
export function openBudgets({
  settings,
  database,
  clock,
  metrics,
  logger,
  engine,
}: CapabilityContext<BudgetSettings, typeof budgetMetrics>): CapabilityParts<
  NameOf<typeof budgetNames, 'jobs'>
> {
  const watch = new BudgetWatch({
    budgets: settings.budgets,
    database,
    clock,
    metrics,
  });
  const { ledger, admission, quotas } = watch;
  const { publisher, registry, providers, pricer } = engine;
  const alerts = new BudgetAlerts({ database, read: () => ledger.read(), metrics, logger });
  const releaser = new BudgetReleaser({ ledger, publisher, registry, clock, logger });
  return {
    services: [
      [
        BudgetService,
        new BudgetService({
          ledger,
          operations: new BudgetOperations({ database, clock }),
          models: { providers, pricer, clock },
        }),
      ],
      [BudgetWatch, watch],
    ],
    hooks: { admission, quotas },
    jobs: [
      { name: 'budgets', intervalMs: 1000, runsIn: 'every_process', turn: () => watch.look() },
      { name: 'budget_alerts', intervalMs: 5000, runsIn: 'maintenance', turn: () => alerts.look() },
      { name: 'release_budgets', intervalMs: 1000, runsIn: 'maintenance', turn: () => releaser.release() },
    ],
    beforeWork: async () => {
      const changes = await watch.begin();
      if (changes.length === 0) return;
      logger.info({ changes }, 'the budgets of this configuration hold now, for all processes');
    },
  };
}
