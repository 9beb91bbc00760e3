import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { formatUsd } from '../../kernel/money.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { amountText } from './amount-text.ts';
import type { BudgetMetrics } from './budget-metrics.ts';
import { isExhausted } from './budget-room.ts';
import { recordBudgetAlerts } from './budget-sql.ts';
import type { BudgetState } from './budget-state.ts';

interface BudgetAlertsOptions {
  readonly database: SqlDatabase;
  readonly read: () => Promise<readonly BudgetState[]>;
  readonly metrics: BudgetMetrics;
  readonly logger: Logger;
}

/**
 * Whether the budget has used so many percent of its limit. A budget that holds calls back never quite reaches 100: it has, when a call
 * did not fit and what is left takes none that was asked for.
 */
export function isReached(state: BudgetState, percent: number): boolean {
  if (!state.spent.times(100).lessThan(state.limit.times(percent))) return true;
  return percent === 100 && state.leastRefused !== undefined && isExhausted(state);
}

/**
 * Tells of the shares of budgets that are reached: each once a window, whatever process looks and how often it is restarted, for the
 * ledger keeps what was told (`millrace.quota_alerts`).
 */
export class BudgetAlerts {
  readonly #options: BudgetAlertsOptions;
  /** What was told, or found told, so that it is not asked again each turn. */
  #known = new Set<string>();

  constructor(options: BudgetAlertsOptions) {
    this.#options = options;
  }

  /** One look; there never is more to do at once. */
  async look(): Promise<false> {
    const { database, read, metrics, logger } = this.#options;
    const reached = (await read()).flatMap((state) =>
      state.alertAt.filter((percent) => isReached(state, percent)).map((percent) => ({ state, percent })),
    );
    const keys = reached.map(({ state, percent }) => keyOf(state, percent));
    const fresh = reached.filter((_, index) => !this.#known.has(keys[index] ?? ''));
    if (fresh.length > 0) {
      const { rows } = await database.query<{ quota: string; percent: number }>(recordBudgetAlerts, [
        JSON.stringify(
          fresh.map(({ state, percent }) => ({
            quota: state.name,
            window_start: state.latestStart,
            percent,
            spent: formatUsd(state.spent),
            limit_amount: formatUsd(state.limit),
          })),
        ),
      ]);
      for (const { quota, percent } of rows) {
        const state = fresh.find((one) => one.state.name === quota)?.state;
        if (state === undefined) continue;
        metrics.increment('budget_alerts_total', { budget: quota });
        logger.warn(
          {
            budget: quota,
            percent,
            spent: amountText(state.spent, state.unit),
            limit: amountText(state.limit, state.unit),
            windowEndsAt: state.windowEndsAt,
          },
          'a budget has reached a share of its limit that is to be told of',
        );
      }
    }
    this.#known = new Set(keys);
    return false;
  }
}

function keyOf({ name, latestStart }: BudgetState, percent: number): string {
  return `${name} ${percent} ${latestStart.getTime()}`;
}
