import type { CallerView } from '../../../http/api-key-identity.ts';
import { AppError } from '../../../kernel/app-error.ts';
import { isUuid, type Uuid } from '../../../kernel/ids.ts';
import { formatUsd, usd } from '../../../kernel/money.ts';
import type { ColumnStore } from '../../../drivers/column-store/column-store.ts';
import { pricingOfStoredCall } from '../../../engine/calls/price-of-stored-call.ts';
import type { ExportLedger } from '../../../engine/export/export-ledger.ts';
import { isNoPart, partsDifference, partsOfCost, unexplained } from '../../../engine/ledger/cost-parts.ts';
import type { RepriceLedger, SettledRow } from '../../../engine/ledger/reprice-ledger.ts';
import type { Pricer } from '../../../pricing/price.ts';
import { countTokens, inputTokenClasses, tokenClasses } from '../../../pricing/token-classes.ts';
import type { CallPriceDocument, CallPriceRecord } from './call-price-document.ts';
import { linesOfPrice, linesOfRow } from './call-price-lines.ts';

export interface CallPricesOptions {
  readonly ledger: RepriceLedger;
  readonly exports: ExportLedger;
  readonly columns: ColumnStore;
  readonly pricer: Pricer;
  /** Whose prices the provider follows. */
  readonly priceProviderOf: (provider: string) => string;
}

/** What the records of a call are read from: the columns that say what they changed. */
const partNames = [...tokenClasses, 'request', 'units', 'adjustment'] as const;
const recordColumns = [
  'record_id',
  'record_kind',
  'recorded_at',
  'ts',
  'corrected_period',
  'cost_usd',
  'price_reference',
  'operation_id',
  'correction_actor',
  'correction_reason',
  'price_book',
  ...partNames.map((name) => `cost_${name}`),
];

type Fields = Readonly<Record<string, unknown>>;

const nilId = '00000000-0000-0000-0000-000000000000';
const chargedPrefix = /^charged by [^;]*(?:; list )?/;

/** Explains what single calls cost. */
export class CallPrices {
  readonly #options: CallPricesOptions;

  constructor(options: CallPricesOptions) {
    this.#options = options;
  }

  /** The arithmetic of a call. Throws MILLRACE_NOT_FOUND, also for a call of another team than the viewer's. */
  async explain(id: string, viewer: CallerView): Promise<CallPriceDocument> {
    const { ledger, pricer, priceProviderOf } = this.#options;
    const call = isUuid(id) ? await ledger.find(id) : undefined;
    if (call === undefined || (viewer.team !== undefined && viewer.team !== call.origin.team))
      throw new AppError(
        'MILLRACE_NOT_FOUND',
        `There is no call ${id} that has ended. Calls leave the ledger after the retention time.`,
      );
    const { pricing, usage, geography } = pricingOfStoredCall(pricer, priceProviderOf, call);
    const { reference, isCharged } = storedPrice(call);
    const parts = call.costParts ?? unexplained(call.costUsd ?? usd('0'));
    const price = pricing.kind === 'priced' ? pricing.price : undefined;
    // Only the price that made the cost explains it: the same rule, and the very amounts of the classes.
    const isPresent =
      pricing.kind === 'priced' &&
      price?.reference === reference &&
      (pricing.parts ?? []).length === 0 &&
      isNoPart({
        ...partsDifference(partsOfCost(pricing.cost, pricing.cost.total), parts),
        request: usd('0'),
        adjustment: usd('0'),
      });
    const listCost = listCostOf(call);
    return {
      id: call.id,
      team: call.origin.team,
      provider: call.provider,
      model: call.model,
      ...(call.answeredModel === undefined ? {} : { answeredModel: call.answeredModel }),
      tier: call.tier,
      requestKind: call.requestKind,
      ...(geography === undefined ? {} : { geography }),
      sentAt: call.reservedAt.toISOString(),
      settlement: call.settlement,
      inputTokens: countTokens(call.tokens, inputTokenClasses),
      ...(reference === undefined
        ? {}
        : {
            price: {
              reference: call.priceReference ?? reference,
              ...(price !== undefined && isPresent ? { catalogue: price.catalogue } : {}),
              isPresent,
              rules: isPresent ? [...(price?.steps ?? [])] : [],
            },
          }),
      priceBook: pricer.version,
      lines: [
        ...(isPresent && price !== undefined ? linesOfPrice(usage, price, parts) : linesOfRow(call, parts)),
      ],
      ...(call.costUsd === undefined ? {} : { costUsd: formatUsd(call.costUsd) }),
      ...(isCharged && call.costUsd !== undefined ? { chargedUsd: formatUsd(call.costUsd) } : {}),
      ...(listCost === undefined ? {} : { listCostUsd: listCost }),
      ...(call.upperBoundUsd === undefined ? {} : { upperBoundUsd: formatUsd(call.upperBoundUsd) }),
      ...(pricing.kind === 'priced'
        ? { presentUsd: formatUsd(pricing.cost.total) }
        : { unpricedBecause: pricing.reason }),
      records: await this.#records(call),
    };
  }

  /** Those in the column store, and those that wait for it. */
  async #records({ id, reservedAt }: SettledRow): Promise<CallPriceRecord[]> {
    const { exports, columns } = this.#options;
    const waiting = await exports.waitingOfCall(id);
    const arrived = await columns.query<Fields>(
      `SELECT ${recordColumns.join(', ')} FROM ${columns.database}.usage
       WHERE call_id = {call:UUID} AND ts >= {from:DateTime64(3, 'UTC')} ORDER BY recorded_at, record_id LIMIT 1000`,
      { call: id, from: reservedAt.toISOString().replace('T', ' ').replace('Z', '') },
    );
    const records = new Map<string, CallPriceRecord>();
    for (const fields of [...arrived, ...waiting.map((line) => JSON.parse(line) as Fields)]) {
      const record = recordOf(fields);
      records.set(record.id, record);
    }
    return [...records.values()].toSorted((one, other) => compare(one, other));
  }
}

function compare(one: CallPriceRecord, other: CallPriceRecord): number {
  const [left, right] = [`${one.recordedAt} ${one.id}`, `${other.recordedAt} ${other.id}`];
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** The price reference of the list, and whether the cost is a charge beside it. */
function storedPrice({ priceReference }: SettledRow): {
  readonly reference: string | undefined;
  readonly isCharged: boolean;
} {
  if (priceReference === undefined) return { reference: undefined, isCharged: false };
  const isCharged = chargedPrefix.test(priceReference);
  return { reference: priceReference.replace(chargedPrefix, ''), isCharged };
}

function listCostOf({ costDetail }: SettledRow): string | undefined {
  if (costDetail === null) return undefined;
  const { list_cost_usd: list } = JSON.parse(`{${costDetail}}`) as { readonly list_cost_usd?: string };
  return list;
}

function recordOf(fields: Fields): CallPriceRecord {
  const text = (name: string): string => {
    const value = fields[name];
    return typeof value === 'string' ? value : '';
  };
  const some = (name: string, key: string) => (text(name) === '' ? {} : { [key]: text(name) });
  const byClass = partNames.flatMap((name) => {
    const value = text(`cost_${name}`);
    return value === '' || usd(value).isZero() ? [] : [[name, formatUsd(usd(value))] as const];
  });
  const operation: Uuid = text('operation_id');
  return {
    id: text('record_id'),
    kind: text('record_kind') === 'correction' ? 'correction' : 'call',
    recordedAt: text('recorded_at'),
    bookedAt: text('ts'),
    ...some('corrected_period', 'correctedPeriod'),
    ...(text('cost_usd') === '' ? {} : { costUsd: formatUsd(usd(text('cost_usd'))) }),
    byClass: Object.fromEntries(byClass),
    ...some('price_reference', 'priceReference'),
    ...(operation === '' || operation === nilId ? {} : { operationId: operation }),
    ...some('correction_actor', 'actor'),
    ...some('correction_reason', 'reason'),
    ...some('price_book', 'priceBook'),
  };
}
