import { addUsd, usdFromNumber, type Usd } from '../../kernel/money.ts';
import type { UnitCounts, UsageUnit } from '../../pricing/usage-units.ts';
import { asRecord, type JsonRecord, numberIn, numberOf, recordIn } from './token-usage.ts';

/*
 * What stands in an answer beside its counts of tokens: uses of tools that the provider ran, and what it says it charged.
 */

/** A whole count of at least 1; nothing for what is no such count. */
function countIn(record: JsonRecord | undefined, name: string): number {
  const count = numberIn(record, name);
  return count !== undefined && Number.isSafeInteger(count) && count > 0 ? count : 0;
}

/** A length as a whole count: what has begun counts. */
function begunIn(record: JsonRecord | undefined, name: string): number {
  const length = Math.ceil(numberIn(record, name) ?? 0);
  return Number.isSafeInteger(length) && length > 0 ? length : 0;
}

function unitsOf(counts: readonly (readonly [UsageUnit, number])[]): UnitCounts {
  const units: Partial<Record<UsageUnit, number>> = {};
  for (const [unit, count] of counts) if (count > 0) units[unit] = (units[unit] ?? 0) + count;
  return units;
}

/** Fields of Anthropic's `server_tool_use`, which OpenRouter has, too. */
const serverTools: Readonly<Record<string, UsageUnit>> = {
  web_search_requests: 'web_search',
  web_fetch_requests: 'web_fetch',
  code_execution_requests: 'code_execution',
  bash_code_execution_requests: 'code_execution',
  text_editor_code_execution_requests: 'code_execution',
};

/** Tools that only look up what the request already names: they are not billed. */
const freeServerTools: ReadonlySet<string> = new Set(['tool_search_requests']);

/** Fields of xAI's `server_side_tool_usage_details`. */
const xaiTools: Readonly<Record<string, UsageUnit>> = {
  web_search_calls: 'web_search',
  x_search_calls: 'x_search',
  code_interpreter_calls: 'code_execution',
  code_execution_calls: 'code_execution',
  file_search_calls: 'file_search',
  document_search_calls: 'file_search',
  collections_search_calls: 'file_search',
  image_generation_calls: 'image_generation',
};

/** The uses of tools that a usage block counts. */
export function unitsOfUsage(usage: JsonRecord | undefined): UnitCounts {
  const server = recordIn(usage, 'server_tool_use');
  const xai = recordIn(usage, 'server_side_tool_usage_details');
  return unitsOf([
    ...Object.keys(server ?? {})
      .filter((name) => name.endsWith('_requests') && !freeServerTools.has(name))
      .map((name) => [serverTools[name] ?? 'other_tool', countIn(server, name)] as const),
    ...Object.keys(xai ?? {})
      // Calls to the user's own MCP servers are free of charge at xAI.
      .filter((name) => name.endsWith('_calls') && name !== 'mcp_calls')
      .map((name) => [xaiTools[name] ?? 'other_tool', countIn(xai, name)] as const),
    // Perplexity's deep research.
    ['web_search', countIn(usage, 'num_search_queries')],
    // Mistral's sound in prompts.
    ['audio_second', begunIn(usage, 'prompt_audio_seconds')],
    // Cohere's ranking.
    ['rerank_search', countIn(recordIn(usage, 'billed_units'), 'search_units')],
  ]);
}

/** Items of a response that stand for a tool that OpenAI ran. */
const responseItems: Readonly<Record<string, UsageUnit>> = {
  web_search_call: 'web_search',
  file_search_call: 'file_search',
  code_interpreter_call: 'code_execution',
  image_generation_call: 'image_generation',
};

/** The uses of tools in the body of an answer, where its usage does not count them: OpenAI's responses, Gemini's grounding. */
export function unitsOfBody(body: JsonRecord | undefined): UnitCounts {
  const counted = numberIn(recordIn(recordIn(body, 'tool_usage'), 'web_search'), 'num_requests');
  const items = recordsIn(body, 'output')
    .filter((item) => !(item['type'] === 'web_search_call' && (counted !== undefined || isVisit(item))))
    .map((item) => [responseItems[String(item['type'])], 1] as const)
    .filter((entry): entry is readonly [UsageUnit, 1] => entry[0] !== undefined);
  return unitsOf([
    ...items,
    ['web_search', counted !== undefined && Number.isSafeInteger(counted) ? counted : 0],
    ...recordsIn(body, 'candidates').map((candidate) => ['web_search', groundingQueries(candidate)] as const),
  ]);
}

/** Opening a page that was found, or looking through it, is part of the search. */
function isVisit(item: JsonRecord): boolean {
  const action = recordIn(item, 'action')?.['type'];
  return action === 'open_page' || action === 'find_in_page';
}

function groundingQueries(candidate: JsonRecord): number {
  const queries = recordIn(candidate, 'groundingMetadata')?.['webSearchQueries'];
  return Array.isArray(queries) ? queries.length : 0;
}

function recordsIn(record: JsonRecord | undefined, name: string): readonly JsonRecord[] {
  const list = record?.[name];
  return Array.isArray(list) ? list.map(asRecord).filter((item) => item !== undefined) : [];
}

const ticksPerUsd = 10_000_000_000;

/**
 * What the provider says that it charged, in US dollars: `cost` of OpenRouter and its like, `cost.total_cost` of
 * Perplexity, ticks of xAI. An account of one's own pays what it was charged on top; where that is not said, nobody knows
 * the charge.
 */
export function chargedUsd(usage: JsonRecord | undefined): Usd | undefined {
  const ticks = amountOf(usage?.['cost_in_usd_ticks']);
  if (ticks !== undefined) return ticks.div(ticksPerUsd);
  const total = amountOf(recordIn(usage, 'cost')?.['total_cost']);
  if (total !== undefined) return total;
  const cost = amountOf(usage?.['cost']);
  if (cost === undefined || usage?.['is_byok'] !== true) return cost;
  const upstream = amountOf(recordIn(usage, 'cost_details')?.['upstream_inference_cost']);
  return upstream === undefined || upstream.isZero() ? undefined : addUsd(cost, upstream);
}

function amountOf(value: unknown): Usd | undefined {
  const amount = numberOf(value);
  return amount !== undefined && Number.isFinite(amount) && amount >= 0 ? usdFromNumber(amount) : undefined;
}
