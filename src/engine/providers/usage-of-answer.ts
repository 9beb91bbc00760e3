import type { LanguageModelV4Usage, SharedV4ProviderMetadata } from '@ai-sdk/provider';
import type { ProviderKind } from './provider-config.ts';
import { providerKinds } from './provider-kinds.ts';
import type { UnitCounts } from '../../pricing/usage-units.ts';
import { chargedUsd, unitsOfBody } from './usage-counts.ts';
import type { ReadUsage } from './own-usage.ts';
import { shapeOf, usageInShape, type UsageShape } from './usage-shapes.ts';
import {
  asRecord,
  genericUsage,
  type JsonRecord,
  noUsage,
  numberOf,
  recordIn,
  type ReportedUsage,
} from './token-usage.ts';

/** A provider's own words about usage, wherever in its answer they stood. */
export interface RawUsage {
  readonly usage: JsonRecord | undefined;
  readonly tier: string | undefined;
  /** Where it was served, when it says so. */
  readonly geography: string | undefined;
  /** Uses of tools that stand outside the usage block. */
  readonly units: UnitCounts;
  /** The model that answered, when it says so: the packages of some providers leave it out. */
  readonly model: string | undefined;
}

/** A provider's own id of a whole answer, where its package does not hand it on. */
export function idInBody(body: unknown): string | undefined {
  const id = asRecord(body)?.['id'];
  return typeof id === 'string' && id !== '' ? id : undefined;
}

/** The usage block, the tier, the place and the uses of tools in the body of a whole answer. */
export function rawUsageOfBody(body: unknown): RawUsage {
  const record = asRecord(body);
  const usage = usageIn(record);
  return {
    usage,
    tier: tierOf(record, usage),
    geography: geographyIn(usage),
    units: unitsOfBody(record),
    model: modelIn(record),
  };
}

/** The reported usage in disjoint classes: from the provider's own block, else from the SDK's fields. */
export function usageOf(
  { kind, usageShape }: UsageSource,
  raw: JsonRecord | undefined,
  normalised: LanguageModelV4Usage | undefined,
  units: UnitCounts = {},
): ReportedUsage {
  const shape = raw === undefined ? undefined : shapeFor(kind, usageShape, raw);
  let usage = noUsage;
  if (raw !== undefined && shape !== undefined) usage = usageInShape(shape, raw);
  else if (normalised !== undefined) usage = genericUsage(normalised);
  // A use that the usage block counts may stand in the body as well: it is one use.
  const all = { ...units, ...usage.units };
  const charged = kind === 'anthropic' ? undefined : chargedUsd(raw);
  return {
    ...usage,
    ...(Object.keys(all).length === 0 ? {} : { units: all }),
    ...(charged === undefined ? {} : { chargedUsd: charged }),
  };
}

/** Whose usage is read. */
export interface UsageSource {
  readonly kind: ProviderKind;
  /** In whose words usage is reported, where not in its kind's; of a provider in code recognised by its fields when it is not said. */
  readonly usageShape?: UsageShape | undefined;
  readonly readUsage?: ReadUsage | undefined;
}

function shapeFor(
  kind: ProviderKind,
  declared: UsageShape | undefined,
  raw: JsonRecord,
): UsageShape | undefined {
  if (kind === 'custom') return declared ?? shapeOf(raw);
  return declared ?? providerKinds[kind].usage;
}

/** The tier in the SDK's metadata of an answer, for what hides the body. */
export function tierOfMetadata(metadata: SharedV4ProviderMetadata | undefined): string | undefined {
  for (const provider of Object.values(metadata ?? {})) {
    const tier = asRecord(provider['serviceTier'])?.['type'] ?? provider['serviceTier'];
    if (typeof tier === 'string') return tier;
  }
  return undefined;
}

/** Usage blocks nest two deep; what lies deeper is taken as it comes. */
const maxDepth = 4;

/**
 * Reads usage from the raw chunks of a stream, so that it is known even when the stream breaks off: OpenAI's last
 * chunk or closing event, Anthropic's first event (the input) and its deltas. Until the closing one came the output is
 * not final.
 */
export class StreamUsage {
  #usage: JsonRecord | undefined;
  #tier: string | undefined;
  #geography: string | undefined;
  #units: UnitCounts = {};
  #isFinal = false;
  #model: string | undefined;
  readonly #faults: string[] = [];

  get raw(): RawUsage {
    return {
      usage: this.#usage,
      tier: this.#tier,
      geography: this.#geography,
      units: this.#units,
      model: this.#model,
    };
  }

  /** What contradicts itself between the chunks: counts that became smaller. */
  get faults(): readonly string[] {
    return this.#faults;
  }

  /** Whether the provider had said how much the whole answer took. */
  get isFinal(): boolean {
    return this.#isFinal;
  }

  read(chunk: unknown): void {
    const record = asRecord(chunk);
    if (record === undefined) return;
    // Chat chunks and Anthropic's deltas carry it themselves; OpenAI's events and Anthropic's first one inside.
    const inner = recordIn(record, 'response') ?? recordIn(record, 'message');
    const aside = asideOf(record);
    const usage = usageIn(record) ?? recordIn(inner, 'usage') ?? recordIn(aside, 'usage');
    this.#model = modelIn(record) ?? modelIn(inner) ?? this.#model;
    this.#geography = geographyIn(usage) ?? this.#geography;
    const units = unitsOfBody(inner ?? record);
    // The last event that names uses has all of them.
    if (Object.keys(units).length > 0) this.#units = units;
    this.#tier = tierOf(record, usage) ?? tierOf(inner, usage) ?? tierOf(aside, usage) ?? this.#tier;
    if (usage === undefined) return;
    this.#usage = accumulated(this.#usage, usage, this.#faults);
    this.#isFinal ||= isClosing(record);
  }
}

/**
 * Two usage blocks of one stream, of which the later one continues the earlier. Counts only grow: a later null or 0
 * says nothing, a later number that is smaller is a fault, and the larger one stays.
 */
function accumulated(
  before: JsonRecord | undefined,
  after: JsonRecord,
  faults: string[],
  depth = 0,
): JsonRecord {
  if (before === undefined) return after;
  const merged: Record<string, unknown> = { ...before };
  for (const [name, value] of Object.entries(after)) {
    const known = before[name];
    const [was, is] = [numberOf(known), numberOf(value)];
    const inner = asRecord(value);
    if (value === null || value === undefined) continue;
    if (was !== undefined && is !== undefined) {
      if (is >= was) merged[name] = value;
      else if (is !== 0) faults.push(`${name} fell from ${was} to ${is} within the stream`);
    } else if (inner !== undefined && depth < maxDepth) {
      merged[name] = accumulated(asRecord(known), inner, faults, depth + 1);
    } else if (!Array.isArray(value) || value.length > 0) {
      merged[name] = value;
    }
  }
  return merged;
}

function usageIn(record: JsonRecord | undefined): JsonRecord | undefined {
  // Cohere's embeddings have it among their `meta`.
  return (
    recordIn(record, 'usage') ??
    recordIn(record, 'usageMetadata') ??
    (recordIn(recordIn(record, 'meta'), 'billed_units') === undefined ? undefined : recordIn(record, 'meta'))
  );
}

function modelIn(record: JsonRecord | undefined): string | undefined {
  const named = [record?.['model'], record?.['modelVersion']];
  return named.find((name): name is string => typeof name === 'string' && name !== '');
}

/** Where Bedrock's last event, Cohere's and Groq's have what others have at the top. */
function asideOf(record: JsonRecord): JsonRecord | undefined {
  return ['metadata', 'delta', 'x_groq']
    .map((name) => recordIn(record, name))
    .find((inner) => recordIn(inner, 'usage') !== undefined);
}

function isClosing({ type, choices, delta, candidates, metadata }: JsonRecord): boolean {
  if (recordIn(asRecord(metadata), 'usage') !== undefined || type === 'message-end') return true;
  if (Array.isArray(candidates))
    return candidates.some((one) => typeof asRecord(one)?.['finishReason'] === 'string');
  if (type === 'message_delta') return typeof asRecord(delta)?.['stop_reason'] === 'string';
  if (typeof type === 'string') return /^response\.(completed|incomplete|failed)$/.test(type);
  if (!Array.isArray(choices)) return false;
  return (
    choices.length === 0 || choices.some((choice) => typeof asRecord(choice)?.['finish_reason'] === 'string')
  );
}

function tierOf(record: JsonRecord | undefined, usage: JsonRecord | undefined): string | undefined {
  if (usage?.['speed'] === 'fast') return 'fast';
  const named = [
    usage?.['service_tier'],
    record?.['service_tier'],
    usage?.['trafficType'],
    usage?.['serviceTier'],
    record?.['serviceTier'],
    recordIn(record, 'serviceTier')?.['type'],
  ];
  return named.find((tier) => typeof tier === 'string');
}

function geographyIn(usage: JsonRecord | undefined): string | undefined {
  const geography = usage?.['inference_geo'];
  return typeof geography === 'string' ? geography : undefined;
}
