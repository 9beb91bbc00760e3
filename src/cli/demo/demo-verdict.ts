import { formatUsd } from '../../kernel/money.ts';
import type { DemoReport } from './demo-report.ts';

/** Why a run is not what it must be; nothing when the sums agree and everything has ended. */
export function findDisagreements(report: DemoReport): readonly string[] {
  const { billedUsd, ledgerUsd, attributedUsd, bounds, status, originCoverage } = report;
  const pending = status.messages.pending + status.messages.leased;
  const disagreements: string[] = [];
  if (!ledgerUsd.equals(attributedUsd)) {
    disagreements.push(
      `The ledger says ${formatUsd(ledgerUsd)} USD, ClickHouse ${formatUsd(attributedUsd)} USD.`,
    );
  }
  // Without open and estimated calls the bounds are one amount, and the bill must be it to the last digit.
  if (
    billedUsd !== undefined &&
    (billedUsd.lessThan(bounds.lowerUsd) || billedUsd.greaterThan(bounds.upperUsd))
  ) {
    disagreements.push(
      `The bill of ${formatUsd(billedUsd)} USD lies outside of ${formatUsd(bounds.lowerUsd)} to ${formatUsd(bounds.upperUsd)} USD.`,
    );
  }
  if (pending > 0) disagreements.push(`${pending} messages have not ended.`);
  if (status.calls.reserved > 0) disagreements.push(`${status.calls.reserved} calls are still reserved.`);
  if (status.unexportedRecords > 0)
    disagreements.push(`${status.unexportedRecords} records are not in ClickHouse yet.`);
  if (originCoverage !== 1)
    disagreements.push(`Only a share of ${originCoverage} of the records has a complete origin.`);
  return disagreements;
}
