import type { BillEntry } from './bill.ts';
import {
  batchTier,
  type BilledTokens,
  billedAtto,
  findSimulatedModel,
  usdOfAtto,
} from './simulator-prices.ts';
import { invariant } from '../kernel/invariant.ts';

/*
 * The simulator's bill as providers export theirs: pages of usage and of costs by the day, and requests one by one. The
 * amounts are the exact ones of the entries, by the simulator's own prices, so that they are a second account.
 */

/** What can be exported. */
export const billForms = [
  'openai-usage',
  'openai-costs',
  'anthropic-usage',
  'anthropic-costs',
  'openrouter-activity',
  'openrouter-generations',
] as const;
export type BillForm = (typeof billForms)[number];

type Classes = keyof BilledTokens;

const noTokens: BilledTokens = {
  uncached_input: 0,
  cache_read: 0,
  cache_write_5m: 0,
  cache_write_1h: 0,
  text_output: 0,
  reasoning: 0,
};

const dayMs = 86_400_000;

/** The export as one JSON document: a single page, whatever its length. */
export function providerBill(form: BillForm, entries: readonly BillEntry[]): string {
  return JSON.stringify(writers[form](entries), undefined, 1);
}

const writers: Readonly<Record<BillForm, (entries: readonly BillEntry[]) => unknown>> = {
  'openai-usage': (entries) => openaiPage(of(entries, 'openai'), openaiUsage),
  'openai-costs': (entries) => openaiPage(of(entries, 'openai'), openaiCosts),
  'anthropic-usage': (entries) => anthropicPage(of(entries, 'anthropic'), anthropicUsage),
  'anthropic-costs': (entries) => anthropicPage(of(entries, 'anthropic'), anthropicCosts),
  'openrouter-activity': (entries) => ({
    data: byDay(entries).flatMap(([day, some]) => activity(day, some)),
  }),
  'openrouter-generations': (entries) => ({ data: entries.map((entry) => generation(entry)) }),
};

function openaiPage(
  entries: readonly BillEntry[],
  results: (entries: readonly BillEntry[]) => unknown[],
): unknown {
  const data = byDay(entries).map(([day, some]) => {
    const start_time = Date.parse(day) / 1000;
    return { object: 'bucket', start_time, end_time: start_time + dayMs / 1000, results: results(some) };
  });
  return { object: 'page', data, has_more: false, next_page: null };
}

function openaiUsage(entries: readonly BillEntry[]): unknown[] {
  const keys = ({ modelAnswered, tier, endpoint }: BillEntry): string =>
    JSON.stringify([endpoint === 'embeddings' ? 'embeddings' : 'completions', modelAnswered, tier]);
  return groupsOf(entries, keys).map(([first, some]) => {
    const tokens = sumOf(some);
    const kind = first.endpoint === 'embeddings' ? 'embeddings' : 'completions';
    return {
      object: `organization.usage.${kind}.result`,
      input_tokens: tokens.uncached_input + tokens.cache_read,
      num_model_requests: some.length,
      ...(kind === 'embeddings'
        ? {}
        : {
            output_tokens: tokens.text_output + tokens.reasoning,
            input_cached_tokens: tokens.cache_read,
            input_audio_tokens: 0,
            output_audio_tokens: 0,
            batch: first.tier === batchTier,
            service_tier: first.tier === batchTier ? 'default' : first.tier,
          }),
      project_id: null,
      user_id: null,
      api_key_id: null,
      model: first.modelAnswered,
    };
  });
}

function openaiCosts(entries: readonly BillEntry[]): unknown[] {
  const items: readonly (readonly [string, readonly Classes[]])[] = [
    ['input', ['uncached_input']],
    ['cached input', ['cache_read']],
    ['output', ['text_output', 'reasoning']],
  ];
  return groupsOf(entries, ({ modelAnswered }) => modelAnswered).flatMap(([first, some]) =>
    items.flatMap(([item, classes]) => {
      const atto = costOf(some, classes);
      if (atto === 0n) return [];
      return {
        object: 'organization.costs.result',
        amount: { value: usdOfAtto(atto), currency: 'usd' },
        line_item: `${first.modelAnswered}, ${item}`,
        project_id: null,
      };
    }),
  );
}

function anthropicPage(
  entries: readonly BillEntry[],
  results: (entries: readonly BillEntry[]) => unknown[],
): unknown {
  const data = byDay(entries).map(([day, some]) => ({
    starting_at: `${day}T00:00:00Z`,
    ending_at: new Date(Date.parse(day) + dayMs).toISOString(),
    results: results(some),
  }));
  return { data, has_more: false, next_page: null };
}

const anthropicGroup = ({ modelAnswered, tier }: BillEntry): string => JSON.stringify([modelAnswered, tier]);

function anthropicUsage(entries: readonly BillEntry[]): unknown[] {
  return groupsOf(entries, anthropicGroup).map(([first, some]) => {
    const tokens = sumOf(some);
    return {
      uncached_input_tokens: tokens.uncached_input,
      cache_read_input_tokens: tokens.cache_read,
      cache_creation: {
        ephemeral_5m_input_tokens: tokens.cache_write_5m,
        ephemeral_1h_input_tokens: tokens.cache_write_1h,
      },
      output_tokens: tokens.text_output + tokens.reasoning,
      server_tool_use: { web_search_requests: 0 },
      api_key_id: null,
      workspace_id: null,
      model: first.modelAnswered,
      service_tier: first.tier,
      context_window: null,
    };
  });
}

function anthropicCosts(entries: readonly BillEntry[]): unknown[] {
  const types: readonly (readonly [string, readonly Classes[]])[] = [
    ['uncached_input_tokens', ['uncached_input']],
    ['cache_read_input_tokens', ['cache_read']],
    ['cache_creation.ephemeral_5m_input_tokens', ['cache_write_5m']],
    ['cache_creation.ephemeral_1h_input_tokens', ['cache_write_1h']],
    ['output_tokens', ['text_output', 'reasoning']],
  ];
  return groupsOf(entries, anthropicGroup).flatMap(([first, some]) =>
    types.flatMap(([token_type, classes]) => {
      const atto = costOf(some, classes);
      if (atto === 0n) return [];
      return {
        currency: 'USD',
        amount: usdOfAtto(atto * 100n),
        workspace_id: null,
        description: `${first.modelAnswered} Usage`,
        cost_type: 'tokens',
        context_window: null,
        model: first.modelAnswered,
        service_tier: first.tier,
        token_type,
        inference_geo: null,
      };
    }),
  );
}

function activity(day: string, entries: readonly BillEntry[]): unknown[] {
  return groupsOf(entries, (entry) => routedModel(entry)).map(([first, some]) => {
    const tokens = sumOf(some);
    return {
      date: day,
      model: routedModel(first),
      model_permaslug: routedModel(first),
      endpoint_id: '550e8400-e29b-41d4-a716-446655440000',
      provider_name: 'Simulator',
      usage: usdOfAtto(costOf(some)),
      byok_usage_inference: 0,
      requests: some.length,
      prompt_tokens: inputOf(tokens),
      completion_tokens: tokens.text_output + tokens.reasoning,
      reasoning_tokens: tokens.reasoning,
    };
  });
}

function generation(entry: BillEntry): unknown {
  const { tokens } = entry;
  return {
    id: entry.requestId,
    model: routedModel(entry),
    created_at: entry.at,
    total_cost: entry.costUsd,
    streamed: true,
    cancelled: !entry.usageReported,
    native_tokens_prompt: inputOf(tokens),
    native_tokens_completion: tokens.text_output + tokens.reasoning,
    native_tokens_reasoning: tokens.reasoning,
    native_tokens_cached: tokens.cache_read,
  };
}

function routedModel({ provider, modelAnswered }: BillEntry): string {
  return `${provider}/${modelAnswered}`;
}

function inputOf(tokens: BilledTokens): number {
  return tokens.uncached_input + tokens.cache_read + tokens.cache_write_5m + tokens.cache_write_1h;
}

function of(entries: readonly BillEntry[], provider: BillEntry['provider']): readonly BillEntry[] {
  return entries.filter((entry) => entry.provider === provider);
}

function byDay(entries: readonly BillEntry[]): readonly (readonly [string, readonly BillEntry[]])[] {
  return groupsOf(entries, ({ at }) => at.slice(0, 10)).map(([first, some]) => [first.at.slice(0, 10), some]);
}

/** The entries by their key, in the order of the keys, each group with its first. */
function groupsOf(
  entries: readonly BillEntry[],
  keyOf: (entry: BillEntry) => string,
): readonly (readonly [BillEntry, readonly BillEntry[]])[] {
  const groups = Map.groupBy(entries, keyOf);
  return [...groups.keys()].toSorted().flatMap((key) => {
    const some = groups.get(key) ?? [];
    const [first] = some;
    return first === undefined ? [] : [[first, some] as const];
  });
}

function sumOf(entries: readonly BillEntry[]): BilledTokens {
  const sum = { ...noTokens };
  for (const { tokens } of entries) for (const name of classNames) sum[name] += tokens[name];
  return sum;
}

const classNames = Object.keys(noTokens) as readonly Classes[];

/** What the entries cost, or only some classes of them. */
function costOf(entries: readonly BillEntry[], classes: readonly Classes[] = classNames): bigint {
  let atto = 0n;
  for (const { provider, modelAnswered, tier, tokens } of entries) {
    const model = findSimulatedModel(provider, modelAnswered);
    invariant(model !== undefined, `${modelAnswered} is a model of the simulator`);
    const some = { ...noTokens };
    for (const name of classes) some[name] = tokens[name];
    atto += billedAtto(model, tier, some);
  }
  return atto;
}
