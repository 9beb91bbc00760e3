import { AppError } from '../../../kernel/app-error.ts';
import type { Clock } from '../../../kernel/clock.ts';
import type { ConcurrencyLimiter } from '../../../kernel/concurrency-limiter.ts';
import { isUuid, newId } from '../../../kernel/ids.ts';
import { formatUsd, sumUsd } from '../../../kernel/money.ts';
import { type Operator, requireUnbound, type Viewer } from '../../../http/operator.ts';
import { invalidRequest } from '../../../http/request-faults.ts';
import type { Bill, BillProvider } from './bill.ts';
import type { BillLimits } from './bill-text.ts';
import { dayOf } from './bill-values.ts';
import type { BillComparison } from './bill-comparison.ts';
import type { CallSettlements, SettlementOperator } from './call-settlements.ts';
import type { ComparedDay } from './difference.ts';
import { type BillFile, readBill } from './read-bill.ts';
import { partsOf } from './difference-parts.ts';
import { documentOfDay, keptDay, totalsOf } from './kept-day.ts';
import {
  reconciledDaySchema,
  type ReconciliationDocument,
  type ReconciliationListDocument,
  type ReconciliationReport,
} from './reconciliation-document.ts';
import type { CurrentDay, DaySelection, KeptDay, ReconciliationLedger } from './reconciliation-ledger.ts';
import { billOfDays, digestOf } from './stored-bill.ts';

/** What is to be compared. */
export interface ReconciliationRequest {
  readonly provider: BillProvider;
  readonly files: readonly BillFile[];
  /** Days, in UTC; `to` is excluded. All days of the bill without them. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** The providers of the configuration that the bill is for; the bill's own name without them. */
  readonly accounts: readonly string[];
  /** Keys, projects or workspaces that only Millrace uses; all without them. */
  readonly keys: readonly string[];
  /** Whether unsettled calls are settled of which the bill says exactly what they cost. */
  readonly settle: boolean;
}

export interface ReconciliationServiceOptions {
  readonly comparison: BillComparison;
  readonly ledger: ReconciliationLedger;
  readonly settlements: CallSettlements;
  readonly exportLagSeconds: () => Promise<number>;
  readonly clock: Clock;
  /** What a bill may have. Absent: what one that is sent to the API may have. */
  readonly billLimits?: BillLimits;
  /** How many are under way at once. Absent: as many as are asked for. */
  readonly limiter?: Pick<ConcurrencyLimiter, 'run'>;
}

const dayMs = 86_400_000;
/** For how long a change of the ledger opens a reconciled day again. */
const reopenedDays = 92;

/** Compares bills with the ledger, keeps what was found, and compares again when records come late. */
export class ReconciliationService {
  readonly #options: ReconciliationServiceOptions;

  constructor(options: ReconciliationServiceOptions) {
    this.#options = options;
  }

  /**
   * Compares, keeps and, if asked to, settles. Throws MILLRACE_FORBIDDEN for an operator of one team, MILLRACE_BILL_INVALID,
   * MILLRACE_BILL_TOO_LARGE, MILLRACE_REPORT_TOO_LARGE and the stores' failures.
   */
  async reconcile(request: ReconciliationRequest, operator: Operator): Promise<ReconciliationReport> {
    requireAllTeams(operator);
    const { limiter } = this.#options;
    const work = (): Promise<ReconciliationReport> => this.#reconcile(request, operator);
    return limiter === undefined ? await work() : await limiter.run(work);
  }

  async #reconcile(request: ReconciliationRequest, { actor }: Operator): Promise<ReconciliationReport> {
    const { comparison, ledger, clock, exportLagSeconds, billLimits } = this.#options;
    const bill = within(await readBill(request.provider, request.files, billLimits), request);
    refuseKeys(bill, request.keys);
    const accounts = request.accounts.length === 0 ? [request.provider] : request.accounts.toSorted();
    const keys = request.keys.toSorted();
    const lag = await exportLagSeconds();
    const { days, ledgerDigests } = await comparison.compare(bill, { accounts, keys });
    const now = clock.now();
    const source = digestOf(bill);
    const kept = days.map((day) =>
      keptDay(day, {
        bill,
        source,
        accounts,
        keys,
        ledgerDigest: ledgerDigests.get(day.day) ?? '',
        reason: 'bill',
        actor,
        now,
      }),
    );
    await ledger.keep(kept);
    const proven = days.flatMap((day) => day.proven);
    await ledger.note({
      id: newId(now),
      actor,
      target: `bill of ${request.provider}`,
      affected: days.length,
      detail: { source, days: bill.days, settled: request.settle ? proven.map(({ call }) => call.id) : [] },
    });
    const by = { actor, reason: `bill of ${request.provider} ${source}` };
    const settled = request.settle ? await this.#settle(days, by) : new Set<string>();
    return reportOf({ bill, kept, now, settled, proven: days.flatMap((day) => day.proven), lag });
  }

  async #settle(days: readonly ComparedDay[], by: SettlementOperator): Promise<ReadonlySet<string>> {
    const settled = new Set<string>();
    for (const proven of days.flatMap((day) => day.proven)) {
      if (await this.#options.settlements.settle(proven, by)) settled.add(proven.call.id);
    }
    return settled;
  }

  /** Kept days, the latest first, without their rows. */
  async list(selection: DaySelection, operator: Viewer): Promise<ReconciliationListDocument> {
    requireAllTeams(operator);
    const found = await this.#options.ledger.list(selection);
    return {
      reconciliations: found.slice(0, selection.limit).map((day) => reconciledDaySchema.parse(day)),
      truncated: found.length > selection.limit,
    };
  }

  /** A kept day with its rows. Throws MILLRACE_NOT_FOUND. */
  async show(id: string, operator: Viewer): Promise<ReconciliationDocument> {
    requireAllTeams(operator);
    const found = isUuid(id) ? await this.#options.ledger.find(id) : undefined;
    if (found === undefined) throw new AppError('MILLRACE_NOT_FOUND', `There is no reconciliation ${id}.`);
    return found;
  }

  /** Compares kept days again of which the ledger says something else now. Answers how many have changed. */
  async refresh(): Promise<number> {
    const { ledger, clock } = this.#options;
    const now = clock.now();
    const current = await ledger.current(dayOf(new Date(now.getTime() - reopenedDays * dayMs)));
    const bills = Map.groupBy(current, ({ bill, document: { accounts, keys } }) =>
      JSON.stringify([bill.source, bill.provider, bill.form, accounts, keys]),
    );
    let changed = 0;
    for (const days of bills.values()) changed += await this.#compareAgain(days, now);
    return changed;
  }

  async #compareAgain(current: readonly CurrentDay[], now: Date): Promise<number> {
    const { comparison, ledger } = this.#options;
    const [first] = current;
    if (first === undefined) return 0;
    const { accounts, keys } = first.document;
    const bill: Bill = {
      ...first.bill,
      usage: current.flatMap((day) => day.bill.usage),
      costs: current.flatMap((day) => day.bill.costs),
      requests: current.flatMap((day) => day.bill.requests),
      days: current.map((day) => day.document.day),
    };
    const digests = await comparison.ledgerDigests(bill, accounts);
    const stale = current.filter((day) => digests.get(day.document.day) !== day.ledgerDigest);
    if (stale.length === 0) return 0;
    const { days, ledgerDigests } = await comparison.compare(bill, { accounts, keys });
    const kept = days
      .filter(({ day }) => stale.some(({ document }) => document.day === day))
      .map((day): KeptDay =>
        keptDay(day, {
          bill,
          source: first.bill.source,
          accounts,
          keys,
          ledgerDigest: ledgerDigests.get(day.day) ?? '',
          reason: 'ledger',
          actor: 'millrace',
          now,
        }),
      );
    return (await ledger.keep(kept)).size;
  }
}

/** A bill is of all teams: one who is bound to one sees none. */
function requireAllTeams(viewer: Viewer): void {
  requireUnbound(viewer, "see a provider's bill, which is of all teams");
}

/** Keys tell nothing of a bill that names none. */
function refuseKeys({ costs, requests }: Bill, keys: readonly string[]): void {
  if (keys.length === 0 || [...costs, ...requests].some(({ key }) => key !== undefined)) return;
  throw invalidRequest([
    {
      field: 'keys',
      problem: 'are named by no line of the bill: export its costs by key, project or workspace',
    },
  ]);
}

/** The bill within the days that were asked for. */
function within(bill: Bill, { from, to }: Pick<ReconciliationRequest, 'from' | 'to'>): Bill {
  const days = bill.days.filter(
    (day) => (from === undefined || day >= from) && (to === undefined || day < to),
  );
  if (days.length === 0)
    throw invalidRequest([
      {
        field: 'from',
        problem: `and to leave no day of the bill, which covers ${bill.days[0] ?? ''} to ${bill.days.at(-1) ?? ''}`,
      },
    ]);
  return billOfDays(bill, days);
}

function reportOf(of: {
  readonly bill: Bill;
  readonly kept: readonly KeptDay[];
  readonly now: Date;
  readonly settled: ReadonlySet<string>;
  readonly proven: ComparedDay['proven'];
  readonly lag: number;
}): ReconciliationReport {
  const { bill, kept, now } = of;
  const last = bill.days.at(-1) ?? '';
  const ledgerUsd = sumUsd(kept.map((day) => day.ledgerUsd));
  const differences = totalsOf(kept.flatMap((day) => day.differences));
  return {
    provider: bill.provider,
    form: bill.form,
    from: bill.days[0] ?? '',
    to: dayOf(new Date(Date.parse(last) + dayMs)),
    ledgerUsd: formatUsd(ledgerUsd),
    ...partsOf(ledgerUsd, differences),
    billUsd: formatUsd(sumUsd(kept.map(({ billUsd }) => billUsd))),
    residualUsd: formatUsd(sumUsd(kept.map(({ residualUsd }) => residualUsd))),
    differences,
    days: kept.map((day) => documentOfDay(day, now)),
    proven: of.proven.map(({ call, costUsd }) => ({
      callId: call.id,
      costUsd: formatUsd(costUsd),
      isSettled: of.settled.has(call.id),
    })),
    notices: [...bill.notices],
    exportLagSeconds: of.lag,
  };
}
