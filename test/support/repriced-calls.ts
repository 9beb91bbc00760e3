import fc from 'fast-check';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { CallLedger } from '../../src/engine/ledger/call-ledger.ts';
import { RepriceLedger } from '../../src/engine/ledger/reprice-ledger.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';
import { formatUsd, sumUsd, type Usd, usd } from '../../src/kernel/money.ts';
import { parseOverlay } from '../../src/pricing/overlay.ts';
import { PriceBook } from '../../src/pricing/price-book.ts';
import { type TokenClass, type TokenCounts, tokenClasses } from '../../src/pricing/token-classes.ts';
import type {
  RepriceReport,
  RepriceRequest,
} from '../../src/capabilities/prices/reprice/reprice-document.ts';
import { RepriceService } from '../../src/capabilities/prices/reprice/reprice-service.ts';
import { outboxLines, someReservation, someSettlement } from './ledger-fixture.ts';

/* Calls that were settled by one price book and are priced by others. */

const models = ['alpha', 'beta', 'gamma'] as const;
type Model = (typeof models)[number];

/** Dollars per million tokens by model: of its input and its output. A model that is absent has no price. */
export type Rates = Readonly<Partial<Record<Model, { readonly input: string; readonly output: string }>>>;

const rate = fc
  .bigInt({ min: 0n, max: 10n ** 14n })
  .map((units) => `${units / 10n ** 12n}.${String(units % 10n ** 12n).padStart(12, '0')}`);
export const anyRates: fc.Arbitrary<Rates> = fc.record(
  Object.fromEntries(models.map((model) => [model, fc.record({ input: rate, output: rate })])),
  { requiredKeys: [] },
);

/** A call: whose, of which model, and what it used. */
export interface UsedCall {
  readonly team: string;
  readonly customer: string;
  readonly feature: string;
  readonly model: Model;
  readonly tokens: TokenCounts;
  readonly isWaste: boolean;
  readonly isEstimated: boolean;
}

export const anyUsedCall: fc.Arbitrary<UsedCall> = fc.record({
  team: fc.constantFrom('blue', 'green'),
  customer: fc.constantFrom('acme', 'initech', 'hooli'),
  feature: fc.constantFrom('search', 'summaries'),
  model: fc.constantFrom(...models),
  tokens: fc.dictionary(
    fc.constantFrom<TokenClass>('uncached_input', 'cache_read', 'text_output', 'reasoning'),
    fc.integer({ min: 1, max: 3_000_000 }),
    { noNullPrototype: true },
  ) as fc.Arbitrary<TokenCounts>,
  isWaste: fc.boolean(),
  isEstimated: fc.boolean(),
});

/** The price book of these rates alone. */
export function bookOf(rates: Rates): PriceBook {
  const prices = Object.entries(rates).map(([model, { input, output }]) => ({
    provider: 'house',
    model,
    rates: { uncached_input: input, text_output: output },
  }));
  return new PriceBook({ catalogues: [parseOverlay(JSON.stringify({ prices }), 'rates.json')] });
}

/** What a call costs at these rates, computed apart; undefined without a price. */
export function costAt(rates: Rates, { model, tokens }: Pick<UsedCall, 'model' | 'tokens'>): Usd | undefined {
  const price = rates[model];
  if (price === undefined) return undefined;
  const isOutput = (name: string): boolean => name === 'text_output' || name === 'reasoning';
  return sumUsd(
    Object.entries(tokens).map(([name, count]) =>
      usd(isOutput(name) ? price.output : price.input)
        .times(count)
        .div(1_000_000),
    ),
  );
}

/** Settles a call by the book, outside of messages; its id. */
export async function settleCall(database: SqlDatabase, book: PriceBook, used: UsedCall): Promise<string> {
  const calls = new CallLedger({ database, clock: systemClock });
  const { team, customer, feature, model, tokens } = used;
  const id = newId(new Date());
  const upperBoundUsd = used.isEstimated ? usd('1000000') : undefined;
  await calls.reserve(
    someReservation({
      id,
      message: undefined,
      origin: { team, customer, feature },
      provider: 'house',
      model,
      upperBoundUsd,
    }),
  );
  const question = { provider: 'house', model, at: new Date(), tier: 'default', batch: false };
  const pricing = book.price(question, tokens);
  const priced = pricing.kind === 'priced' ? pricing : undefined;
  await calls.settle(
    someSettlement({
      id,
      settlement: used.isEstimated ? 'estimated' : 'reported',
      answeredModel: model,
      tokens,
      costUsd: priced?.cost.total,
      cost: priced?.cost,
      upperBoundUsd,
      priceReference: priced?.price.reference,
      priceCatalogue: priced?.price.catalogue,
      wasteReason: used.isWaste ? 'failed' : undefined,
    }),
  );
  return id;
}

export const ada = { actor: 'ada' };

/** A request to price all calls of these days. */
export function wholeRange(parts: Partial<RepriceRequest> = {}): RepriceRequest {
  const day = 86_400_000;
  const at = (offset: number): string => new Date(Date.now() + offset * day).toISOString();
  return { from: at(-2), to: at(2), reason: 'a contract', dryRun: false, ...parts };
}

/** A service over a database, with slices of a few rows. */
export function repriceService(database: SqlDatabase, book: PriceBook, rowsAtOnce = 3): RepriceService {
  return new RepriceService({
    ledger: new RepriceLedger(database),
    pricer: book,
    priceProviderOf: (provider) => provider,
    clock: systemClock,
    rowsAtOnce,
  });
}

/** Prices all calls by the book, request after request until none is left. */
export async function repriceAll(
  database: SqlDatabase,
  book: PriceBook,
  parts: Partial<RepriceRequest> = {},
): Promise<readonly RepriceReport[]> {
  const service = repriceService(database, book);
  const request = wholeRange(parts);
  const reports: RepriceReport[] = [];
  for (;;) {
    const last = reports.at(-1);
    const rest = last === undefined ? {} : { after: last.next, operationId: last.operationId };
    const report = await service.reprice({ ...request, ...rest }, ada, { maxSlices: 2 });
    reports.push(report);
    if (report.next === undefined) return reports;
  }
}

type Line = Readonly<Record<string, unknown>>;

/** The records that wait for export, parsed. */
export async function recordsOf(database: SqlDatabase): Promise<readonly Line[]> {
  return (await outboxLines(database, 'usage')).map((line) => JSON.parse(line) as Line);
}

/** An amount of records, summed. */
export function sumOf(lines: readonly Line[], column: string): Usd {
  return sumUsd(lines.map((line) => usd((line[column] as string | undefined) ?? '0')));
}

/** The columns of a cost that have to add up to it. */
export const partColumns = [
  ...tokenClasses.map((name) => `cost_${name}`),
  'cost_request',
  'cost_units',
  'cost_adjustment',
];

/** The sum of the records and that of their parts, for each value of some columns. */
export function sumsBy(lines: readonly Line[], columns: readonly string[]): Readonly<Record<string, string>> {
  const groups = new Map<string, Line[]>();
  for (const line of lines) {
    const key = columns.map((column) => JSON.stringify(line[column] ?? '')).join(' ');
    groups.set(key, [...(groups.get(key) ?? []), line]);
  }
  return Object.fromEntries(
    [...groups].map(([key, group]) => {
      const parts = sumUsd(partColumns.map((column) => sumOf(group, column)));
      return [key, `${formatUsd(sumOf(group, 'cost_usd'))} of ${formatUsd(parts)}`];
    }),
  );
}
