import { formatUsd, sumUsd, type Usd, usd, zeroUsd } from '../../src/kernel/money.ts';
import type { CallEvidence, Evidence } from './evidence.ts';
import { groupedBy, InvariantCheck, type InvariantResult } from './invariant-check.ts';

/** What a report may answer while a store is away. */
const codesOfAbsence: readonly string[] = [
  'MILLRACE_COLUMN_STORE_UNAVAILABLE',
  'MILLRACE_DATABASE_UNAVAILABLE',
  'MILLRACE_DATABASE_CONFLICT',
];

/**
 * I13: a cost report answers, or says that a store is away; at the end it says what the ledger says, for every customer;
 * and after ClickHouse was away all that had waited was exported.
 */
export function checkReports({ reports, outages, calls, messages }: Evidence): InvariantResult {
  const check = new InvariantCheck('I13', 'reports answer or say why not, and catch up');
  for (let answer = 0; answer < reports.answered; answer += 1) check.expect(true, undefined, () => '');
  for (const [code, count] of Object.entries(reports.refused)) {
    check.expect(
      codesOfAbsence.includes(code),
      undefined,
      () => `${count} reports were refused with ${code}`,
    );
  }
  for (const { fromMs, toMs, waiting, caughtUpMs } of outages) {
    check.expect(
      caughtUpMs !== undefined,
      undefined,
      () =>
        `ClickHouse was away for ${Math.round((toMs - fromMs) / 1000)} s, and ${waiting} records that had waited were not exported`,
    );
  }
  const { last } = reports;
  check.expect(last !== undefined, undefined, () => 'the last report was refused');
  if (last === undefined) return check.result;
  const customerOf = new Map(messages.map(({ id, customer }) => [id, customer]));
  const byCustomer = groupedBy(calls, ({ message_id: id }) => customerOf.get(id ?? '') ?? null);
  const told = new Map(last.groups.map((group) => [group.customer, group]));
  for (const customer of new Set([...byCustomer.keys(), ...told.keys()])) {
    const made = byCustomer.get(customer) ?? [];
    const group = told.get(customer);
    check.expect(
      group?.calls === made.length && usd(group.costUsd).equals(costOf(made)),
      undefined,
      () =>
        `the report says ${group?.calls ?? 0} calls for ${group?.costUsd ?? '0'} of ${customer}, the ledger ${made.length} for ${formatUsd(costOf(made))}`,
    );
  }
  const suspect = calls.filter(({ is_suspect: isSuspect }) => isSuspect).length;
  check.expect(
    last.suspectCalls === suspect,
    undefined,
    () => `the report says ${last.suspectCalls} suspect calls, the ledger ${suspect}`,
  );
  return check.result;
}

function costOf(calls: readonly CallEvidence[]): Usd {
  return sumUsd(calls.map(({ cost_usd: cost }) => (cost === null ? zeroUsd : usd(cost))));
}
