import { AppError, type Fault } from '../../../kernel/app-error.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import { isStorableText, storableProblem } from '../../../kernel/storable-text.ts';
import { messageIdOf } from '../../../engine/pipeline/admissions.ts';
import { estimateInputTokens } from '../../../engine/providers/input-estimate.ts';
import { type Origin, parseOrigin } from '../../../messages/origin.ts';
import { type Batch, sourceOf } from '../batch.ts';
import type { InputRecord, ItemParts } from './input/input-record.ts';

/** An item that can be run. */
export interface ReadyItem {
  readonly kind: 'ready';
  readonly itemId: string;
  readonly messageId: Uuid;
  /** What it names beside the batch's origin. */
  readonly customer: string | undefined;
  readonly team: string | undefined;
  readonly labels: string | undefined;
  /** JSON. */
  readonly data: string;
  readonly dataBytes: number;
  readonly tokens: number;
}

/** An item that cannot be run, with all that is wrong with it. */
export interface FaultyItem {
  readonly kind: 'faulty';
  readonly faults: readonly Fault[];
}

export interface ItemRules {
  readonly batch: Pick<Batch, 'id' | 'origin'>;
  /** The data as it is stored. Throws MILLRACE_MESSAGE_INVALID with every fault. */
  readonly checkData: (data: unknown) => unknown;
  /** Of data as JSON. */
  readonly maxDataBytes: number;
  /** Whether an item may name another team than the batch's. */
  readonly mayNameTeams: boolean;
}

const maxIdCharacters = 512;
/** Ids that items which are left out have where their own cannot be kept. */
const reservedIds = 'millrace:';
const maxKnownOrigins = 1000;

/** Makes items of what an input says, each checked completely. */
export class ItemReader {
  readonly #rules: ItemRules;
  readonly #source: string;
  /** Origins that items named, since most name one of few. */
  readonly #known = new Map<string, Origin>();

  constructor(rules: ItemRules) {
    this.#rules = rules;
    this.#source = sourceOf(rules.batch.id);
  }

  /** The item at a position, or all that is wrong with it. */
  async read(position: number, record: InputRecord): Promise<ReadyItem | FaultyItem> {
    if (record.kind === 'faulty') return { kind: 'faulty', faults: record.faults };
    const { parts } = record;
    const faults: Fault[] = [];
    const itemId = this.#idOf(position, parts, faults);
    const origin = this.#originOf(parts, faults);
    const data = this.#dataOf(parts, faults);
    if (faults.length > 0 || data === undefined) return { kind: 'faulty', faults };
    const { batch } = this.#rules;
    const isOther = origin !== batch.origin;
    return {
      kind: 'ready',
      itemId,
      messageId: messageIdOf(origin.team, this.#source, itemId),
      customer: isOther && origin.customer !== batch.origin.customer ? origin.customer : undefined,
      team: isOther && origin.team !== batch.origin.team ? origin.team : undefined,
      labels: isOther && parts.labels !== undefined ? JSON.stringify(origin.labels ?? {}) : undefined,
      data: data.json,
      dataBytes: data.bytes,
      // By characters, whatever the model: which stages will ask which one is not known yet.
      tokens: await estimateInputTokens('', data.json),
    };
  }

  #idOf(position: number, { id }: ItemParts, faults: Fault[]): string {
    if (id === undefined || id === null) return String(position);
    if (isUsableId(id)) return id;
    faults.push({ field: 'id', problem: idProblem(id) });
    return String(position);
  }

  /** The batch's origin, or another one with what the item names. */
  #originOf({ customer, team, labels }: ItemParts, faults: Fault[]): Origin {
    const { batch, mayNameTeams } = this.#rules;
    if (isAbsent(customer) && isAbsent(team) && isAbsent(labels)) return batch.origin;
    if (!isAbsent(team) && team !== batch.origin.team && !mayNameTeams) {
      faults.push({ field: 'team', problem: `must be "${batch.origin.team}", the team of the API key` });
      return batch.origin;
    }
    const key = keyOf([team, customer, labels]);
    const known = key === undefined ? undefined : this.#known.get(key);
    if (known !== undefined) return known;
    try {
      const origin = parseOrigin({
        ...batch.origin,
        ...(isAbsent(team) ? {} : { team }),
        ...(isAbsent(customer) ? {} : { customer }),
        ...(isAbsent(labels) ? {} : { labels: withBatchLabels(batch.origin.labels, labels) }),
      });
      if (this.#known.size >= maxKnownOrigins) this.#known.clear();
      if (key !== undefined) this.#known.set(key, origin);
      return origin;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      for (const { field, problem } of error.faults) {
        faults.push({ field: field.replace(/^origin\./, ''), problem });
      }
      return batch.origin;
    }
  }

  #dataOf(
    { data }: ItemParts,
    faults: Fault[],
  ): { readonly json: string; readonly bytes: number } | undefined {
    const { checkData, maxDataBytes } = this.#rules;
    try {
      const json = JSON.stringify(checkData(data)) ?? 'null';
      const bytes = Buffer.byteLength(json);
      if (bytes <= maxDataBytes) return { json, bytes };
      faults.push({
        field: 'data',
        problem: `has ${bytes} bytes; at most ${maxDataBytes} are accepted (messages.maxBytes)`,
      });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      faults.push(...(error.faults.length > 0 ? error.faults : [{ field: 'data', problem: error.message }]));
    }
    return undefined;
  }
}

/** The id that an item which is left out is kept under: its own, where that can be. */
export function keptId(position: number, id: unknown): string {
  if (id === undefined || id === null) return String(position);
  return isUsableId(id) ? id : reservedId(position);
}

/** An id that no input can have given. */
export function reservedId(position: number): string {
  return `${reservedIds}skipped:${position}`;
}

function isUsableId(id: unknown): id is string {
  return (
    typeof id === 'string' &&
    id.length > 0 &&
    id.length <= maxIdCharacters &&
    isStorableText(id) &&
    !id.startsWith(reservedIds)
  );
}

function idProblem(id: unknown): string {
  if (typeof id !== 'string') return 'is not a text';
  if (id.length === 0 || id.length > maxIdCharacters) return `has 1 to ${maxIdCharacters} characters`;
  return isStorableText(id) ? `must not begin with "${reservedIds}"` : storableProblem;
}

/** One text for what an item names. Undefined where it is no names: it is refused, and may be nested deeper than can be written. */
function keyOf(named: readonly unknown[]): string | undefined {
  const texts = named.flatMap((value): readonly unknown[] =>
    typeof value === 'object' && value !== null ? Object.values(value) : [value],
  );
  return texts.every((value) => isAbsent(value) || typeof value === 'string')
    ? JSON.stringify(named)
    : undefined;
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

function withBatchLabels(batch: Origin['labels'], labels: unknown): unknown {
  return typeof labels === 'object' && !Array.isArray(labels) ? { ...batch, ...labels } : labels;
}
