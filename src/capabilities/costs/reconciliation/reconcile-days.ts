import type { Uuid } from '../../../kernel/ids.ts';
import { maxUsd, sumUsd, type Usd, usd, zeroUsd } from '../../../kernel/money.ts';
import type { Pricer } from '../../../pricing/price.ts';
import { type TokenClass, tokenClasses } from '../../../pricing/token-classes.ts';
import type { Bill, BillMeter, CostLine, UsageLine } from './bill.ts';
import {
  callsOfCause,
  causeByAmount,
  type Cell,
  type PlainRow,
  plainRowsOf,
  type RowForm,
  tokensOf,
  usageOf,
} from './day-cells.ts';
import { classOfMeter, meteredTokens, summedMeters, usageMeterOf, usageMeters } from './day-meters.ts';
import {
  type ComparedDay,
  type ComparedRow,
  type Difference,
  type DifferenceCause,
  maxNamedCalls,
  type ProvenCall,
} from './difference.ts';
import type { LedgerCall, LedgerGroup } from './ledger-usage.ts';
import { ModelFamilies } from './model-families.ts';
import { type FindTwins, movesOf, surplusesOf, type TierUsage, type UsageMove } from './usage-moves.ts';

/*
 * Compares a bill that sums up days with the ledger. A cell is one model on one day. Its usage (tokens, requests) tells why the
 * bill counts more or less; the amount of each such move is its tokens at the price that the ledger knows. What is left of a
 * row's difference lies in the price. So for each row, exactly: ledger + differences = bill.
 */

/** What is compared, beside the bill. */
export interface LedgerSide {
  readonly groups: readonly LedgerGroup[];
  readonly doubtful: readonly LedgerCall[];
  readonly pricer: Pricer;
  /** Whose prices the provider follows. */
  readonly priceProvider: string;
  /** The keys that only Millrace uses; empty: all of them. */
  readonly keys: readonly string[];
}

/** Tokens of one request more than the ledger knows: is there a call that used just these? */
export interface TwinQuestion {
  readonly day: string;
  readonly model: string;
  readonly tier: string;
  readonly sums: readonly { readonly classes: readonly TokenClass[]; readonly tokens: number }[];
}

/** The answers to them: calls of that day, by the question. */
export type Twins = ReadonlyMap<string, readonly LedgerCall[]>;

/** What identifies a question. */
export function twinKey({ day, model, tier }: Pick<TwinQuestion, 'day' | 'model' | 'tier'>): string {
  return JSON.stringify([day, model, tier]);
}

/** A float of fifteen digits is off by no more than this share. */
const floatNoise = usd('0.000000000000001');
const half = usd('0.5');
/** "2026-03-01" */
const dayCharacters = 10;

/** The comparison of one bill. */
export class DayComparison {
  readonly #bill: Bill;
  readonly #side: LedgerSide;
  readonly #families: ModelFamilies;
  readonly #cells: readonly Cell[];
  readonly #outside: readonly CostLine[];
  readonly #hasTiers: boolean;
  readonly #countsRequests: boolean;
  readonly #form: RowForm;

  constructor(bill: Bill, side: LedgerSide) {
    this.#bill = bill;
    this.#side = side;
    this.#families = new ModelFamilies([...side.groups, ...side.doubtful]);
    const isOwn = ({ key }: { readonly key?: string }): boolean =>
      key === undefined || side.keys.length === 0 || side.keys.includes(key);
    this.#outside = bill.costs.filter((line) => !isOwn(line));
    const costs = bill.costs.filter(isOwn);
    const usage = bill.usage.filter(isOwn);
    this.#hasTiers =
      usage.some(({ tier }) => tier !== undefined) ||
      (usage.length === 0 && costs.some(({ tier }) => tier !== undefined));
    this.#countsRequests = usage.length > 0 && usage.every(({ requests }) => requests !== undefined);
    this.#form = {
      provider: bill.provider,
      hasClasses: bill.costs.some(({ meter }) => usageMeters[bill.provider].includes(meter)),
      ...(this.#hasTiers ? { tierOf: (tier: string | undefined) => this.#tierOf(tier) } : {}),
    };
    this.#cells = this.#cellsOf(costs, usage);
  }

  /** What has to be known of single calls before the comparison. */
  questions(): readonly TwinQuestion[] {
    return this.#cells.flatMap((cell) =>
      surplusesOf(this.#tiersOf(cell)).map(({ tier, tokens }) => ({
        day: cell.day,
        model: cell.model,
        tier,
        sums: usageMeters[this.#bill.provider]
          .map((meter) => ({
            classes: tokenClasses.filter((name) => usageMeterOf(this.#bill.provider, name) === meter),
            tokens: tokens[meter] ?? 0,
          }))
          .filter(({ classes }) => classes.length > 0),
      })),
    );
  }

  /** Whether the call is of the model and tier of the question. */
  isOf(call: LedgerCall, { model, tier }: TwinQuestion): boolean {
    const name = call.answeredModel === '' ? call.model : call.answeredModel;
    return (model === '' || this.#families.of(name) === model) && this.#tierOf(call.tier) === tier;
  }

  /** Every day of the bill, in order. */
  days(twins: Twins): readonly ComparedDay[] {
    return this.#bill.days.map((day) => {
      const compared = this.#cells
        .filter((cell) => cell.day === day)
        .map((cell) => this.#compare(cell, twins));
      const outside = this.#outside.filter((line) => line.day === day).map((line) => outsideRow(line));
      return {
        day,
        rows: [...compared.flatMap(({ rows }) => rows), ...outside],
        proven: compared.flatMap(({ proven }) => proven),
        unsettledCalls: this.#side.doubtful.filter((call) => call.day === day && call.status === 'unsettled')
          .length,
      };
    });
  }

  #cellsOf(costs: readonly CostLine[], usage: readonly UsageLine[]): readonly Cell[] {
    const { groups, doubtful } = this.#side;
    // A bill that names no model is compared as a whole.
    const hasModels = costs.some(({ model }) => model !== '');
    const placeOf = (day: string, model: string): string =>
      `${day} ${hasModels ? this.#families.of(model) : ''}`;
    const ofBill = ({ day, model }: CostLine | UsageLine): string => placeOf(day, model);
    const ofLedger = ({ day, model, answeredModel }: LedgerGroup | LedgerCall): string =>
      placeOf(day, answeredModel === '' ? model : answeredModel);
    const parts = {
      costs: Map.groupBy(costs, ofBill),
      usage: Map.groupBy(usage, ofBill),
      groups: Map.groupBy(groups, ofLedger),
      doubtful: Map.groupBy(doubtful, ofLedger),
    };
    const places = new Set(Object.values(parts).flatMap((part) => [...part.keys()]));
    return [...places].toSorted().map((place) => {
      const [day, model] = [place.slice(0, dayCharacters), place.slice(dayCharacters + 1)] as const;
      return {
        day,
        model,
        costs: parts.costs.get(place) ?? [],
        usage: parts.usage.get(place) ?? [],
        groups: parts.groups.get(place) ?? [],
        doubtful: parts.doubtful.get(place) ?? [],
      };
    });
  }

  #tierOf(tier: string | undefined): string {
    return this.#hasTiers ? (tier ?? 'default') : '';
  }

  /** The usage of a cell by tier; none where the bill does not say what was used. */
  #tiersOf(cell: Cell): readonly TierUsage[] {
    const usage = usageOf(cell);
    if (usage === undefined || (usage.length === 0 && !this.#saysUsage())) return [];
    const counted = cell.groups.filter(({ status }) => status !== 'free' && status !== 'unsettled');
    const tiers = new Set([
      ...usage.map(({ tier }) => this.#tierOf(tier)),
      ...[...cell.groups, ...cell.doubtful].map(({ tier }) => this.#tierOf(tier)),
    ]);
    return [...tiers].toSorted().map((tier) => {
      const ofBill = usage.filter((line) => this.#tierOf(line.tier) === tier);
      const ofLedger = counted.filter((group) => this.#tierOf(group.tier) === tier);
      return {
        tier,
        bill: {
          tokens: summedMeters(ofBill.map(({ tokens }) => tokens)),
          requests: this.#countsRequests
            ? ofBill.reduce((sum, { requests = 0 }) => sum + requests, 0)
            : undefined,
        },
        ledger: {
          tokens: summedMeters(ofLedger.map(({ tokens }) => meteredTokens(this.#bill.provider, tokens))),
          requests: this.#countsRequests ? ofLedger.reduce((sum, { calls }) => sum + calls, 0) : undefined,
        },
        doubtful: cell.doubtful.filter((call) => this.#tierOf(call.tier) === tier),
      };
    });
  }

  /** Whether the bill says at all how much was used. */
  #saysUsage(): boolean {
    return this.#bill.usage.length > 0 || this.#bill.costs.some(({ quantity }) => quantity !== undefined);
  }

  #compare(cell: Cell, twins: Twins): Pick<ComparedDay, 'rows' | 'proven'> {
    const rows = plainRowsOf(cell, this.#form);
    const tiers = this.#tiersOf(cell);
    const findTwins: FindTwins = (tier) => twins.get(twinKey({ ...cell, tier })) ?? [];
    const moves = movesOf(tiers, findTwins);
    const compared = rows.map(({ lines, ...row }): ComparedRow => {
      const plain = { ...row, lines };
      const differences =
        tiers.length > 0 ? this.#differences(cell, plain, moves) : this.#byAmount(cell, plain, rows);
      return { ...row, differences, ...tokensOf(plain, tiers) };
    });
    return { rows: compared, proven: this.#proven(cell, moves, compared) };
  }

  /** The differences of a row where the bill says what was used. */
  #differences(cell: Cell, row: PlainRow, moves: readonly UsageMove[]): readonly Difference[] {
    const whole = row.billUsd.minus(row.ledgerUsd);
    if (row.meter === 'unknown') return one('unknown_kind', whole);
    const own = moves.filter((move) => row.tier === undefined || move.tier === row.tier);
    const parts: Difference[] = [];
    let isPriced = true;
    for (const move of own) {
      const amount = this.#amountOf(cell, row, move);
      if (amount === undefined) isPriced = false;
      else if (!amount.isZero()) parts.push(differenceOf(move, amount));
    }
    if (!isPriced) {
      const causes = new Set(own.map(({ cause }) => cause));
      const [move] = own;
      return causes.size === 1 && move !== undefined
        ? [differenceOf(move, whole)].filter(({ usd: amount }) => !amount.isZero())
        : one('several', whole);
    }
    const rest = whole.minus(sumUsd(parts.map(({ usd: amount }) => amount)));
    return [...joined(parts), ...one(this.#causeOfRest(cell, row, rest), rest)];
  }

  #causeOfRest(cell: Cell, row: PlainRow, rest: Usd): DifferenceCause {
    if (this.#isRounding(row, rest)) return 'rounding';
    if (rest.isPositive() && cell.groups.some(({ status }) => status === 'unpriced')) return 'unpriced';
    return row.meter === 'tools' || row.meter === 'requests' ? 'unexplained' : 'price';
  }

  #isRounding(row: PlainRow, rest: Usd): boolean {
    const allowed = this.#bill.unitUsd.times(half).times(row.lines);
    return rest.abs().lessThanOrEqualTo(maxUsd(allowed, row.billUsd.abs().times(floatNoise)));
  }

  /** The differences of a row where the bill only says what was charged: by what the amounts allow. */
  #byAmount(cell: Cell, row: PlainRow, rows: readonly PlainRow[]): readonly Difference[] {
    const rest = row.billUsd.minus(row.ledgerUsd);
    if (row.meter === 'unknown') return one('unknown_kind', rest);
    if (this.#isRounding(row, rest)) return one('rounding', rest);
    const all = sumUsd(rows.map(({ billUsd, ledgerUsd }) => billUsd.minus(ledgerUsd)));
    const cause = causeByAmount(cell, all);
    const calls = callsOfCause(cell, cause);
    return [{ cause, usd: rest, ...(calls.length === 0 ? {} : { callIds: idsOf(calls) }) }];
  }

  /** What the tokens of a move cost at the price that the ledger knows, as far as they belong to the row. */
  #amountOf(
    { day, model, groups }: Cell,
    row: Pick<PlainRow, 'meter'>,
    { tier, tokens }: UsageMove,
  ): Usd | undefined {
    let amount = zeroUsd;
    for (const meter of usageMeters[this.#bill.provider]) {
      const count = tokens[meter] ?? 0;
      if (count === 0 || (row.meter !== 'all' && row.meter !== meter)) continue;
      const rate = this.#rateOf({
        day,
        model: model === '' ? (groups[0]?.answeredModel ?? '') : model,
        tier,
        meter,
      });
      if (rate === undefined) return undefined;
      amount = amount.plus(rate.times(count));
    }
    return amount;
  }

  /** What one token costs. */
  #rateOf(of: {
    readonly day: string;
    readonly model: string;
    readonly tier: string;
    readonly meter: BillMeter;
  }): Usd | undefined {
    const { pricer, priceProvider } = this.#side;
    const name = classOfMeter[of.meter] ?? 'uncached_input';
    const tier = of.tier === '' || of.tier === 'batch' ? 'default' : of.tier;
    const question = {
      provider: priceProvider,
      model: of.model,
      at: new Date(`${of.day}T12:00:00Z`),
      tier,
      batch: of.tier === 'batch',
    };
    const pricing = pricer.price(question, { [name]: 1 });
    return pricing.kind === 'priced' ? (pricing.cost.byClass[name] ?? zeroUsd) : undefined;
  }

  /** Calls that the bill says everything of: nothing else differs in the cell, but for rounding. */
  #proven(cell: Cell, moves: readonly UsageMove[], rows: readonly ComparedRow[]): readonly ProvenCall[] {
    return moves.flatMap((move) => {
      const { proven: call, cause, tier } = move;
      if (call === undefined) return [];
      const own = rows.filter((row) => row.tier === undefined || row.tier === tier);
      const differences = own.flatMap((row) => row.differences);
      if (differences.some((part) => part.cause !== cause && part.cause !== 'rounding')) return [];
      const amounts = own.map((row) => this.#amountOf(cell, row, move));
      if (amounts.includes(undefined)) return [];
      const costUsd = sumUsd(amounts.filter((amount) => amount !== undefined));
      const tokens: Partial<Record<TokenClass, number>> = {};
      for (const meter of usageMeters[this.#bill.provider]) {
        const count = move.tokens[meter] ?? 0;
        if (count !== 0) tokens[classOfMeter[meter] ?? 'uncached_input'] = count;
      }
      if (call.boundUsd.isZero() || costUsd.greaterThan(call.boundUsd)) return [];
      return [{ call, tokens, costUsd, answeredModel: cell.model, ...(tier === '' ? {} : { tier }) }];
    });
  }
}

function outsideRow({ model, tier, meter, name, key, amountUsd }: CostLine): ComparedRow {
  return {
    model,
    ...(tier === undefined ? {} : { tier }),
    meter,
    ...(name === undefined ? {} : { name }),
    ...(key === undefined ? {} : { key }),
    ledgerUsd: zeroUsd,
    billUsd: amountUsd,
    differences: one('not_through_millrace', amountUsd),
  };
}

function differenceOf({ cause, requests, calls }: UsageMove, amount: Usd): Difference {
  return {
    cause,
    usd: amount,
    ...(requests === undefined ? {} : { requests }),
    ...(calls.length === 0 ? {} : { callIds: idsOf(calls) }),
  };
}

/** Differences of one cause as one. */
function joined(parts: readonly Difference[]): readonly Difference[] {
  return [...Map.groupBy(parts, ({ cause }) => cause).values()].flatMap((some) => {
    const [first] = some;
    const amount = sumUsd(some.map((part) => part.usd));
    return first === undefined || amount.isZero() ? [] : [{ ...first, usd: amount }];
  });
}

function one(cause: DifferenceCause, amount: Usd): readonly Difference[] {
  return amount.isZero() ? [] : [{ cause, usd: amount }];
}

function idsOf(calls: readonly LedgerCall[]): readonly Uuid[] {
  return calls.slice(0, maxNamedCalls).map(({ id }) => id);
}
