import { addUsd, formatUsd, type Usd, zeroUsd } from '../../../kernel/money.ts';
import type { SettledRow } from '../../../engine/ledger/reprice-ledger.ts';
import type { UnrepricedReason } from '../../../engine/calls/price-of-stored-call.ts';
import type { RepriceReport } from './reprice-document.ts';

/** Sums of calls that are priced anew. */
interface Sums {
  calls: number;
  corrections: number;
  newlyPriced: number;
  before: Usd;
  after: Usd;
}

interface Group extends Sums {
  readonly provider: string;
  readonly model: string;
  readonly team: string;
}

/** Groups that are told apart; calls of more are in the totals. */
const maxGroups = 10_000;

const nothing = (): Sums => ({ calls: 0, corrections: 0, newlyPriced: 0, before: zeroUsd, after: zeroUsd });

/** What comes of pricing calls anew, as it is found: its memory is bounded, however many calls there are. */
export class RepriceTally {
  readonly #totals = nothing();
  readonly #groups = new Map<string, Group>();
  readonly #kept: Record<UnrepricedReason, number> = {
    free: 0,
    charged: 0,
    billed: 0,
    erased: 0,
    no_price: 0,
  };
  #hasOtherGroups = false;
  #changedMeanwhile = 0;

  keep(reason: UnrepricedReason): void {
    this.#kept[reason] += 1;
  }

  /** A call that was priced again, whether or not its cost is another one. */
  add(call: SettledRow, costUsd: Usd, isChanged: boolean): void {
    const group = this.#groupOf(call);
    for (const sums of group === undefined ? [this.#totals] : [this.#totals, group]) {
      sums.calls += 1;
      if (isChanged) sums.corrections += 1;
      if (isChanged && call.costUsd === undefined) sums.newlyPriced += 1;
      sums.before = addUsd(sums.before, call.costUsd ?? zeroUsd);
      sums.after = addUsd(sums.after, costUsd);
    }
  }

  changedMeanwhile(calls: number): void {
    this.#changedMeanwhile += calls;
  }

  /** The figures of the report. */
  figures(): Omit<
    RepriceReport,
    'operationId' | 'dryRun' | 'priceBook' | 'prunedCalls' | 'prunedMonths' | 'next'
  > {
    const groups = [...this.#groups.values()].toSorted(
      (one, other) =>
        changeOf(other).abs().comparedTo(changeOf(one).abs()) ||
        compareTexts(one.provider, other.provider) ||
        compareTexts(one.model, other.model) ||
        compareTexts(one.team, other.team),
    );
    return {
      ...figuresOf(this.#totals),
      kept: { ...this.#kept },
      changedMeanwhile: this.#changedMeanwhile,
      groups: groups.map((group) => ({
        provider: group.provider,
        model: group.model,
        team: group.team,
        ...figuresOf(group),
      })),
      otherGroups: this.#hasOtherGroups,
    };
  }

  #groupOf({ provider, model, origin: { team } }: SettledRow): Group | undefined {
    const key = JSON.stringify([provider, model, team]);
    const known = this.#groups.get(key);
    if (known !== undefined) return known;
    if (this.#groups.size >= maxGroups) {
      this.#hasOtherGroups = true;
      return undefined;
    }
    const group = { provider, model, team, ...nothing() };
    this.#groups.set(key, group);
    return group;
  }
}

function changeOf({ before, after }: Sums): Usd {
  return after.minus(before);
}

function figuresOf(sums: Sums) {
  return {
    calls: sums.calls,
    corrections: sums.corrections,
    newlyPriced: sums.newlyPriced,
    beforeUsd: formatUsd(sums.before),
    afterUsd: formatUsd(sums.after),
    changeUsd: formatUsd(changeOf(sums)),
  };
}

function compareTexts(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
