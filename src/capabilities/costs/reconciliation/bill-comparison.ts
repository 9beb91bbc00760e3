import type { Pricer } from '../../../pricing/price.ts';
import type { Bill } from './bill.ts';
import { dayOf } from './bill-values.ts';
import type { ComparedDay } from './difference.ts';
import type { LedgerCall, LedgerUsage } from './ledger-usage.ts';
import { DayComparison, twinKey } from './reconcile-days.ts';
import { compareRequests } from './reconcile-requests.ts';
import { digestOf } from './stored-bill.ts';
import { wholeRequests } from './whole-requests.ts';

export interface BillComparisonOptions {
  readonly usage: LedgerUsage;
  readonly pricer: Pricer;
  readonly priceProviderOf: (provider: string) => string;
}

/** Whom a bill is for. */
export interface BilledAccounts {
  readonly accounts: readonly string[];
  readonly keys: readonly string[];
}

/** A bill, compared with the records of its days. */
export interface ComparedBill {
  readonly days: readonly ComparedDay[];
  /** What the records of each day say, by day. */
  readonly ledgerDigests: ReadonlyMap<string, string>;
}

/** More surpluses of one request each are not looked for among the calls. */
const maxQuestions = 100;
const dayMs = 86_400_000;

/** Compares bills with the records of calls. */
export class BillComparison {
  readonly #options: BillComparisonOptions;

  constructor(options: BillComparisonOptions) {
    this.#options = options;
  }

  async compare(bill: Bill, whom: BilledAccounts): Promise<ComparedBill> {
    const ledgerDigests = await this.ledgerDigests(bill, whom.accounts);
    const days = bill.requests.length > 0 ? await this.#byRequest(bill, whom) : await this.#byDay(bill, whom);
    return { days, ledgerDigests };
  }

  /** What the records of each day of the bill say, as a digest that changes with them. */
  async ledgerDigests(bill: Bill, accounts: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const period = { providers: accounts, days: bill.days };
    const groups = Map.groupBy(await this.#options.usage.groups(period), ({ day }) => day);
    return new Map(bill.days.map((day) => [day, digestOf(groups.get(day) ?? [])]));
  }

  async #byDay(bill: Bill, { accounts, keys }: BilledAccounts): Promise<readonly ComparedDay[]> {
    const { usage, pricer, priceProviderOf } = this.#options;
    const period = { providers: accounts, days: bill.days };
    const comparison = new DayComparison(bill, {
      groups: await usage.groups(period),
      doubtful: await usage.doubtful(period),
      pricer,
      priceProvider: priceProviderOf(accounts[0] ?? bill.provider),
      keys,
    });
    const twins = new Map<string, readonly LedgerCall[]>();
    for (const question of comparison.questions().slice(0, maxQuestions)) {
      const found = await usage.callsWith({ ...period, days: [question.day] }, question.sums);
      twins.set(
        twinKey(question),
        found.filter((call) => comparison.isOf(call, question)),
      );
    }
    return comparison.days(twins);
  }

  async #byRequest(bill: Bill, { accounts }: BilledAccounts): Promise<readonly ComparedDay[]> {
    // A request around midnight can be of another day at the provider.
    const days = new Set(
      bill.days.flatMap((day) => [-dayMs, 0, dayMs].map((shift) => dayOf(new Date(Date.parse(day) + shift)))),
    );
    const calls = await this.#options.usage.calls({ providers: accounts, days: [...days].toSorted() });
    return compareRequests(bill, wholeRequests(calls));
  }
}
