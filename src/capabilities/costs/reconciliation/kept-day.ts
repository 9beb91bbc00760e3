import { newId } from '../../../kernel/ids.ts';
import { formatUsd, sumUsd, usd } from '../../../kernel/money.ts';
import type { Bill } from './bill.ts';
import {
  type ComparedDay,
  type ComparedRow,
  differenceCauses,
  type Difference,
  isReconciled,
  openCauses,
  stateOf,
} from './difference.ts';
import type { DifferenceDocument, ReconciliationDocument, RowDocument } from './reconciliation-document.ts';
import { partsOf } from './difference-parts.ts';
import type { KeptDay } from './reconciliation-ledger.ts';
import { billOfDay, digestOf, storedBillText } from './stored-bill.ts';

/* A compared day as it is kept and shown. */

interface KeptWith {
  readonly bill: Bill;
  readonly source: string;
  readonly accounts: readonly string[];
  readonly keys: readonly string[];
  readonly ledgerDigest: string;
  readonly reason: 'bill' | 'ledger';
  readonly actor: string;
  readonly now: Date;
}

/** The day as it is kept. */
export function keptDay(compared: ComparedDay, { bill, source, now, ...rest }: KeptWith): KeptDay {
  const { day, rows } = compared;
  const ofDay = billOfDay(bill, day);
  const open = rows.flatMap(({ differences }) => differences).filter(({ cause }) => openCauses.has(cause));
  return {
    id: newId(now),
    provider: bill.provider,
    day,
    form: bill.form,
    billDigest: digestOf({
      usage: ofDay.usage,
      costs: ofDay.costs,
      requests: ofDay.requests,
      unit: ofDay.unitUsd,
    }),
    bill: storedBillText(ofDay, source),
    ledgerUsd: sumUsd(rows.map(({ ledgerUsd }) => ledgerUsd)),
    billUsd: sumUsd(rows.map(({ billUsd }) => billUsd)),
    residualUsd: sumUsd(open.map(({ usd: amount }) => amount.abs())),
    differences: totalsOf(
      rows.flatMap(({ differences }) => differences.map((one) => differenceDocument(one))),
    ),
    state: stateOf(rows),
    rows: rows.map((row) => rowDocument(row)),
    notices: bill.notices,
    ...rest,
  };
}

/** The day as it is shown when it has just been made. */
export function documentOfDay(kept: KeptDay, now: Date): ReconciliationDocument {
  const { billDigest: _, ledgerDigest: __, bill: ___, ...shown } = kept;
  return {
    ...shown,
    accounts: [...kept.accounts],
    keys: [...kept.keys],
    ledgerUsd: formatUsd(kept.ledgerUsd),
    billUsd: formatUsd(kept.billUsd),
    ...partsOf(kept.ledgerUsd, kept.differences),
    residualUsd: formatUsd(kept.residualUsd),
    differences: [...kept.differences],
    rows: [...kept.rows],
    notices: [...kept.notices],
    madeAt: now.toISOString(),
  };
}

/** Differences summed by cause, in the order of the causes. */
export function totalsOf(differences: readonly DifferenceDocument[]): DifferenceDocument[] {
  const byCause = Map.groupBy(differences, ({ cause }) => cause);
  return differenceCauses.flatMap((cause) => {
    const some = byCause.get(cause) ?? [];
    return some.length === 0 ? [] : [{ cause, usd: formatUsd(sumUsd(some.map((one) => usd(one.usd)))) }];
  });
}

function rowDocument(row: ComparedRow): RowDocument {
  const { ledgerUsd, billUsd, differences, ...rest } = row;
  return {
    ...rest,
    ledgerUsd: formatUsd(ledgerUsd),
    billUsd: formatUsd(billUsd),
    isReconciled: isReconciled(row),
    differences: differences.map((one) => differenceDocument(one)),
  };
}

function differenceDocument({ cause, usd: amount, requests, callIds }: Difference): DifferenceDocument {
  return {
    cause,
    usd: formatUsd(amount),
    ...(requests === undefined ? {} : { requests }),
    ...(callIds === undefined ? {} : { callIds: [...callIds] }),
  };
}
