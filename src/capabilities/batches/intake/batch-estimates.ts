import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import { type QuotaRoom, readQuotaRooms } from '../../../engine/ledger/quota-rooms.ts';
import type { Viewer } from '../../../http/operator.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { formatUsd, roundedTo, type Usd, usd } from '../../../kernel/money.ts';
import type { Pricer } from '../../../pricing/price.ts';
import { type CostForecast, forecastCosts } from './cost-forecast.ts';
import { type BatchEstimate, forecastParts, roomPart } from './estimate-document.ts';
import type { IncomingBatch } from './intake-ledger.ts';
import { readRecentMessages, type RecentMessage } from './recent-costs.ts';

export interface BatchEstimatesOptions {
  readonly database: SqlDatabase;
  /** The models that the stages of a pipeline say they ask, as "provider/model". */
  readonly modelsOf: (pipeline: string) => readonly string[];
  readonly pricer: Pick<Pricer, 'price' | 'upperBound' | 'limits'>;
  readonly priceProviderOf: (provider: string) => string;
  readonly clock: Pick<Clock, 'now'>;
}

/** Items that are so much larger or smaller than those of late are told of. */
const unlikeSizes = 1.5;
const boundDigits = 6;

/** A budget that has too little left for a batch. */
export interface Shortage {
  /** Absent where the viewer does not see it. */
  readonly room?: QuotaRoom;
  /** What the batch is expected to use, p90. */
  readonly needed: Usd;
}

/** What happens at the limits of budgets that stop calls. */
const stopping: readonly string[] = ['park', 'refuse'];

/** What batches are expected to cost, before they start. */
export class BatchEstimates {
  readonly #options: BatchEstimatesOptions;

  constructor(options: BatchEstimatesOptions) {
    this.#options = options;
  }

  /** By what such messages of the same team used of late, at the prices of now. A viewer of one team is told of its budgets only. */
  async estimate(batch: IncomingBatch, { team }: Viewer): Promise<BatchEstimate> {
    const { database } = this.#options;
    const { items, sample, forecast } = await this.#forecast(batch);
    const rooms = await readQuotaRooms(database, batch.origin, batch.pipeline, team);
    return {
      items,
      inputTokens: batch.inputTokens,
      inputBytes: batch.inputBytes,
      basis: forecast === undefined ? 'none' : 'history',
      ...(forecast === undefined ? {} : { sample: sampleOf(sample, batch, items) }),
      ...(forecast === undefined ? { modes: [], models: [] } : forecastParts(forecast)),
      ...(forecast === undefined ? { upperBounds: this.#upperBounds(batch, items) } : {}),
      ...capsPart(batch, forecast),
      budgets: rooms.map((room) => roomPart(room, fitsIn(room, forecast, batch))),
      notes: notesOf(batch, sample, forecast, rooms),
    };
  }

  /**
   * The budgets at whose limits calls stop and that have less left than nine of ten such batches use, in the mode that the batch is in. Of budgets that
   * a viewer of one team does not see neither name nor amount is told.
   */
  async shortages(batch: IncomingBatch, { team }: Viewer): Promise<readonly Shortage[]> {
    const { database } = this.#options;
    const { forecast } = await this.#forecast(batch);
    if (forecast === undefined) return [];
    const rooms = await readQuotaRooms(database, batch.origin, batch.pipeline);
    const short = rooms.flatMap((room): readonly Shortage[] => {
      const needed = neededOf(room, forecast, batch);
      const isShort = stopping.includes(room.atLimit) && needed?.greaterThan(room.left) === true;
      return isShort && needed !== undefined ? [{ room, needed }] : [];
    });
    if (short.length === 0 || team === undefined) return short;
    const seen = await readQuotaRooms(database, batch.origin, batch.pipeline, team);
    const names = new Set(seen.map(({ name }) => name));
    return short.map(({ room, needed }) =>
      room !== undefined && names.has(room.name) ? { room, needed } : { needed },
    );
  }

  async #forecast(batch: IncomingBatch): Promise<{
    readonly items: number;
    readonly sample: readonly RecentMessage[];
    readonly forecast: CostForecast | undefined;
  }> {
    const { database, pricer, priceProviderOf, clock } = this.#options;
    const items = batch.items - batch.ended.skipped;
    const sample = await readRecentMessages(database, batch);
    const question = { items, sample, pricer, priceProviderOf, at: clock.now() };
    return { items, sample, forecast: sample.length === 0 ? undefined : forecastCosts(question) };
  }

  /** One call of each model that the pipeline names, for each item: its data as input, and the longest answer. */
  #upperBounds(batch: IncomingBatch, items: number): NonNullable<BatchEstimate['upperBounds']> {
    const { modelsOf, pricer, priceProviderOf, clock } = this.#options;
    return modelsOf(batch.pipeline).map((reference) => {
      const slash = reference.indexOf('/');
      const provider = priceProviderOf(reference.slice(0, slash));
      const model = reference.slice(slash + 1);
      const { maxOutputTokens } = pricer.limits(provider, model);
      if (items === 0 || maxOutputTokens === undefined) return { model: reference };
      const question = { provider, model, at: clock.now(), tier: 'default', batch: false };
      const each = pricer.upperBound(question, Math.ceil(batch.inputTokens / items), maxOutputTokens);
      return each === undefined
        ? { model: reference }
        : { model: reference, totalUsd: formatUsd(roundedTo(each.times(items), boundDigits)) };
    });
  }
}

function sampleOf(
  sample: readonly RecentMessage[],
  { inputBytes }: IncomingBatch,
  items: number,
): NonNullable<BatchEstimate['sample']> {
  return {
    messages: sample.length,
    averageBytes: Math.round(averageBytes(sample)),
    averageBytesOfItems: items === 0 ? 0 : Math.round(inputBytes / items),
  };
}

/** Whether the quota has room for what nine of ten such batches use in the mode that the batch is in. */
function fitsIn(
  room: QuotaRoom,
  forecast: CostForecast | undefined,
  batch: IncomingBatch,
): boolean | undefined {
  const needed = forecast === undefined ? undefined : neededOf(room, forecast, batch);
  return needed === undefined ? undefined : room.left.greaterThanOrEqualTo(needed);
}

/** What nine of ten such batches use of the quota at most; undefined where that is not known. */
function neededOf(
  { unit, model }: QuotaRoom,
  forecast: CostForecast,
  { settings }: IncomingBatch,
): Usd | undefined {
  if (model !== undefined) return undefined;
  if (unit === 'tokens') {
    const tokens = forecast.models.reduce((sum, one) => sum + one.inputTokens.p90 + one.outputTokens.p90, 0);
    return usd(String(tokens));
  }
  const mode = comparedMode(settings);
  return forecast.modes.find((one) => one.mode === mode)?.total?.p90;
}

/** `auto` is compared as the most expensive of the modes that it chooses from. */
function comparedMode({ mode }: IncomingBatch['settings']): Exclude<typeof mode, 'auto'> {
  return mode === 'auto' ? 'online' : mode;
}

/** What the rule for large items saves: an item costs as much more than the average as it is larger. */
function capsPart(
  { settings, caps, items, ended, inputTokens }: IncomingBatch,
  forecast: CostForecast | undefined,
): Pick<BatchEstimate, 'caps'> {
  if (settings.caps === undefined || caps === undefined) return {};
  const { action } = settings.caps;
  const { tokensBefore, tokensAfter } = caps;
  // Items that fail are still among those that can be run.
  const sentTokens = action === 'fail' ? inputTokens : inputTokens + tokensBefore - tokensAfter;
  const each = forecast?.modes.find((one) => one.mode === comparedMode(settings))?.item?.p50;
  const itemsBefore = items - ended.skipped + (action === 'skip' ? caps.items : 0);
  const saved = each?.times(tokensBefore - tokensAfter).times(itemsBefore);
  return {
    caps: {
      action,
      ...caps,
      ...(saved === undefined || sentTokens === 0
        ? {}
        : { savedUsd: formatUsd(roundedTo(saved.dividedBy(sentTokens), boundDigits)) }),
    },
  };
}

function notesOf(
  batch: IncomingBatch,
  sample: readonly RecentMessage[],
  forecast: CostForecast | undefined,
  rooms: readonly QuotaRoom[],
): string[] {
  const notes: string[] = [];
  const { team } = batch.origin;
  if (forecast === undefined) {
    notes.push(
      `The team "${team}" has no messages of the type "${batch.type}" of late: what an item costs is not known. Upper bounds are of one call of each model that the stages name.`,
    );
  } else {
    const items = batch.items - batch.ended.skipped;
    const ratio = items === 0 ? 1 : batch.inputBytes / items / Math.max(1, averageBytes(sample));
    if (ratio > unlikeSizes || ratio < 1 / unlikeSizes) {
      notes.push(
        `The items are ${ratio.toFixed(1)} times as large as the messages of late, and costs are scaled by items alone: expect more or less accordingly.`,
      );
    }
    if (batch.settings.mode === 'auto')
      notes.push(
        'Budgets are compared with the mode "online", the most expensive of those that "auto" chooses from.',
      );
  }
  if (rooms.some(({ model }) => model !== undefined))
    notes.push('Budgets of one model are listed and not compared.');
  notes.push(
    'Budgets of customers and teams that single items name are left out, and so are those of later windows.',
  );
  return notes;
}

function averageBytes(sample: readonly RecentMessage[]): number {
  return sample.reduce((sum, { bytes }) => sum + bytes, 0) / Math.max(1, sample.length);
}
