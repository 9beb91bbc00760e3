import { z } from 'zod';
import { tierOf } from '../../../pricing/tier-names.ts';
import type { BillMeter, CostLine, UsageLine } from './bill.ts';
import { type BillPart, type PageReader, placeOf } from './bill-part.ts';
import { type BillDocument, invalidBill, partOf } from './bill-text.ts';
import {
  amountText,
  count,
  currency,
  dayOf,
  CoveredDays,
  digitsAfterPoint,
  maybeCount,
  maybeWord,
  maxBuckets,
  maxResults,
  instant,
  pageFields,
  readValue,
  usdOfCents,
} from './bill-values.ts';

/*
 * What Anthropic says of an organisation: pages of GET /v1/organizations/usage_report/messages and cost_report, which hold
 * buckets with results, and of GET /v1/organizations/analytics/usage and cost, whose rows name their period and group.
 * Amounts are in cents, with fractions, as texts. https://platform.claude.com/docs/en/api/admin
 */

const pageSchema = z.object({
  data: z.array(z.unknown()).max(maxBuckets, `has at most ${maxBuckets} buckets or rows`),
  ...pageFields,
});

// Buckets, results and rows are read one by one: the first that is none ends the reading.
const bucketSchema = z.object({
  starting_at: instant,
  ending_at: instant,
  results: z.array(z.unknown()).max(maxResults, `has at most ${maxResults} results`),
});

const rowSchema = z.object({ starting_at: instant, ending_at: instant, group: z.looseObject({}) });

const groupFields = {
  api_key_id: maybeWord,
  workspace_id: maybeWord,
  model: maybeWord,
  service_tier: maybeWord,
};

const cacheCreation = z.object({
  ephemeral_5m_input_tokens: count,
  ephemeral_1h_input_tokens: count,
});

const usageFields = {
  uncached_input_tokens: count,
  cache_read_input_tokens: count,
  cache_creation: cacheCreation,
  output_tokens: count,
  requests: maybeCount,
};

const costFields = { amount: amountText, currency };
const costGroupFields = {
  ...groupFields,
  cost_type: maybeWord,
  token_type: maybeWord,
  description: maybeWord,
};

const usageResult = z.looseObject({ ...groupFields, ...usageFields });
const costResult = z.looseObject({ ...costGroupFields, ...costFields });
const usageRow = z.looseObject({ group: z.looseObject(groupFields), usage: z.looseObject(usageFields) });
const costRow = z.looseObject({ group: z.looseObject(costGroupFields), cost: z.looseObject(costFields) });

/** What a page may say beside: how a row was grouped further, and prices before discounts. */
const knownFields: ReadonlySet<string> = new Set([
  ...Object.keys({ ...usageFields, ...costFields, ...costGroupFields }),
  'context_window',
  'inference_geo',
  'speed',
  'list_amount',
  'server_tool_use',
  'product',
  'account_id',
  'service_account_id',
]);

const meters: Readonly<Record<string, BillMeter>> = {
  uncached_input_tokens: 'input',
  output_tokens: 'output',
  cache_read_input_tokens: 'cache_read',
  'cache_creation.ephemeral_5m_input_tokens': 'cache_write_5m',
  'cache_creation.ephemeral_1h_input_tokens': 'cache_write_1h',
};

interface Lines {
  readonly usage: UsageLine[];
  readonly costs: CostLine[];
  readonly notices: Set<string>;
  digits: number;
}

/** One page of usage or costs. */
export const readAnthropicPage: PageReader = function* (document, file) {
  const lines: Lines = { usage: [], costs: [], notices: new Set(), digits: 0 };
  const { data, has_more } = readValue(pageSchema, document, file);
  const hasBuckets = isOfBuckets(data);
  const days = new CoveredDays(file);
  const buckets: string[] = [];
  for (const index of data.keys()) {
    yield undefined;
    const part = partOf(document, ['data', index]);
    const item = hasBuckets ? readValue(bucketSchema, part, file) : readValue(rowSchema, part, file);
    if (item.ending_at <= item.starting_at)
      throw invalidBill(
        file,
        document.lineOf(['data', index]),
        `data.${index}.ending_at`,
        'lies behind starting_at',
      );
    days.add(item.starting_at, item.ending_at);
    const day = dayOf(item.starting_at);
    if ('results' in item) {
      const [first] = item.results;
      if (first !== undefined)
        buckets.push(
          `${typeof first === 'object' && first !== null && 'amount' in first ? 'costs' : 'usage'} from ${item.starting_at.toISOString()}`,
        );
      for (const place of item.results.keys()) {
        yield undefined;
        addResult(lines, partOf(document, ['data', index, 'results', place]), file, day);
      }
    } else {
      addRow(lines, part, file, day);
    }
  }
  const form: BillPart['form'] = lines.costs.length > 0 ? 'anthropic costs' : 'anthropic usage';
  const { usage, costs, notices, digits } = lines;
  return {
    form,
    usage,
    costs,
    requests: [],
    days: days.list(),
    buckets,
    notices: [...notices],
    digits,
    hasMore: has_more === true,
  };
};

function isOfBuckets(data: readonly unknown[]): boolean {
  return data.every((item) => typeof item !== 'object' || item === null || 'results' in item);
}

function addResult(lines: Lines, document: BillDocument, file: string, day: string): void {
  const at = { place: placeOf(file, document), day };
  if (typeof document.value === 'object' && document.value !== null && 'amount' in document.value) {
    const result = readValue(costResult, document, file);
    addCost(lines, { ...at, ...costOf(result, result, lines) }, result.amount);
  } else {
    const result = readValue(usageResult, document, file);
    lines.usage.push({ ...at, ...usageOf(result, result) });
  }
  noteUnknown(lines, document.value);
}

function addRow(lines: Lines, document: BillDocument, file: string, day: string): void {
  const at = { place: placeOf(file, document), day };
  if (typeof document.value === 'object' && document.value !== null && 'cost' in document.value) {
    const { group, cost } = readValue(costRow, document, file);
    addCost(lines, { ...at, ...costOf(group, cost, lines) }, cost.amount);
    noteUnknown(lines, cost);
  } else {
    const { group, usage } = readValue(usageRow, document, file);
    lines.usage.push({ ...at, ...usageOf(group, usage) });
    noteUnknown(lines, usage);
  }
}

function addCost(lines: Lines, line: CostLine, amount: string): void {
  lines.digits = Math.max(lines.digits, digitsAfterPoint(amount) + 2);
  lines.costs.push(line);
}

function noteUnknown({ notices }: Lines, value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  for (const field of Object.keys(value)) if (!knownFields.has(field)) notices.add(`field ${field}`);
}

type Group = z.output<typeof usageRow>['group'];
type CostGroup = z.output<typeof costRow>['group'];

function groupOf({ api_key_id, workspace_id, model, service_tier }: Group): {
  model: string;
  tier?: string;
  key?: string;
} {
  const key = api_key_id ?? workspace_id;
  return {
    model: model ?? '',
    ...(service_tier === null || service_tier === undefined
      ? {}
      : { tier: tierOf(service_tier, 'anthropic') }),
    ...(key === null || key === undefined ? {} : { key }),
  };
}

function usageOf(group: Group, usage: z.output<typeof usageRow>['usage']): Omit<UsageLine, 'place' | 'day'> {
  const { requests } = usage;
  return {
    ...groupOf(group),
    tokens: {
      input: usage.uncached_input_tokens,
      cache_read: usage.cache_read_input_tokens,
      cache_write_5m: usage.cache_creation.ephemeral_5m_input_tokens,
      cache_write_1h: usage.cache_creation.ephemeral_1h_input_tokens,
      output: usage.output_tokens,
    },
    ...(requests === null || requests === undefined ? {} : { requests }),
  };
}

function costOf(
  group: CostGroup,
  { amount }: { readonly amount: string },
  { notices }: Lines,
): Omit<CostLine, 'place' | 'day'> {
  const same = { ...groupOf(group), amountUsd: usdOfCents(amount) };
  const { cost_type: type, token_type: token } = group;
  if (token !== null && token !== undefined) {
    const meter = meters[token];
    if (meter !== undefined) return { ...same, meter };
    notices.add(`token type "${token}"`);
    return { ...same, meter: 'unknown', name: token };
  }
  if (type === null || type === undefined || type === 'tokens') return { ...same, meter: 'all' };
  if (type === 'web_search' || type === 'code_execution') return { ...same, meter: 'tools' };
  notices.add(`cost type "${type}"`);
  return { ...same, meter: 'unknown', name: type };
}
