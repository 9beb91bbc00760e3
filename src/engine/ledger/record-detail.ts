import { AppError } from '../../kernel/app-error.ts';
import { formatUsd, isStorableUsd, type Usd } from '../../kernel/money.ts';
import type { Cost } from '../../pricing/price.ts';
import { type TokenCounts, tokenClasses } from '../../pricing/token-classes.ts';
import { unitCountsText } from '../../pricing/usage-units.ts';

/*
 * The fields of a record that the row it is about does not have, as they stand in the record's JSON object, without its braces.
 * What no record can hold is refused here, as MILLRACE_DATA_REFUSED: an export could no longer refuse it.
 */

const maxUInt32 = 4_294_967_295;

/** Of a settled call: its cost by class. Its counts and its fee are checked with it. Undefined when there is nothing to add. */
export function usageDetail(tokens: TokenCounts, cost: Cost | undefined): string | undefined {
  for (const name of tokenClasses) {
    const count = tokens[name];
    if (count !== undefined && !Number.isSafeInteger(count)) throw refused(name, `${count} is no count`);
  }
  if (cost === undefined) return undefined;
  let detail = '';
  const add = (name: string, amount: Usd | undefined): void => {
    if (amount === undefined || amount.isZero()) return;
    if (!isStorableUsd(amount)) throw refused(name, `${amount.toString()} is no amount that can be stored`);
    detail += `${detail === '' ? '' : ','}"cost_${name}":"${formatUsd(amount)}"`;
  };
  for (const name of tokenClasses) add(name, cost.byClass[name]);
  add('request', cost.request);
  add('units', cost.units);
  if (cost.list !== undefined) {
    if (!isStorableUsd(cost.list))
      throw refused('list', `${cost.list.toString()} is no amount that can be stored`);
    detail += `${detail === '' ? '' : ','}"list_cost_usd":"${formatUsd(cost.list)}"`;
  }
  const uses = unitCountsText(cost.uses);
  if (uses !== undefined) detail += `${detail === '' ? '' : ','}"units":${uses}`;
  return detail === '' ? undefined : detail;
}

/** Of a message that completed: how long its last run took. */
export function outcomeDetail(durationMs: number): string {
  const rounded = Math.round(durationMs);
  if (Number.isSafeInteger(rounded) && rounded >= 0 && rounded <= maxUInt32)
    return `"duration_ms":${rounded}`;
  throw refused('durationMs', `${durationMs} is no duration`);
}

function refused(field: string, problem: string): AppError {
  return new AppError('MILLRACE_DATA_REFUSED', `A record's ${field}: ${problem}`, {
    faults: [{ field, problem }],
  });
}
