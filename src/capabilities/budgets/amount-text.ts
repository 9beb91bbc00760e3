import { type Amount, formatUsd } from '../../kernel/money.ts';
import type { BudgetUnit } from './budget-definition.ts';

/** An exact amount with its unit: "12.5 USD", "2000000 tokens". */
export function amountText(amount: Amount, unit: BudgetUnit): string {
  return `${formatUsd(amount)} ${unit === 'usd' ? 'USD' : 'tokens'}`;
}
