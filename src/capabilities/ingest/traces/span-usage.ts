import type { ReportedUsage } from '../../../engine/providers/token-usage.ts';
import { splitTotal } from '../../../engine/providers/token-usage.ts';
import { isPrintableName } from '../../../kernel/printable-name.ts';
import type { AttributeValue, ReceivedSpan } from './received-span.ts';

/*
 * What a span says of one call to a model, by OpenTelemetry's conventions for GenAI in their spellings old and new, the AI SDK's, and OpenInference's. Only spans of
 * inference count: agents, chains and tools repeat what the calls in them used.
 */

/** The usage that a span of inference tells of. */
export interface SpanUsage {
  readonly provider: string;
  readonly model: string;
  readonly answeredModel: string | undefined;
  readonly responseId: string | undefined;
  readonly operation: 'chat' | 'embeddings';
  readonly usage: ReportedUsage;
}

const inference: ReadonlySet<string> = new Set(['chat', 'text_completion', 'generate_content', 'embeddings']);
const inferenceKinds: ReadonlySet<string> = new Set(['LLM', 'EMBEDDING']);

/** Names that conventions and SDKs give to providers → the price book's. */
const providers: Readonly<Record<string, string>> = {
  'aws.bedrock': 'aws',
  'az.ai.inference': 'azure',
  'az.ai.openai': 'azure',
  'azure.ai.inference': 'azure',
  'azure.ai.openai': 'azure',
  'gcp.gemini': 'google',
  'gcp.gen_ai': 'google',
  'gcp.vertex_ai': 'google',
  mistral_ai: 'mistral',
  x_ai: 'x-ai',
};

const maxName = 256;

/** Undefined for a span of anything else than one call to a model, or that tells no usage. */
export function usageOfSpan({ attributes }: Pick<ReceivedSpan, 'attributes'>): SpanUsage | undefined {
  const text = (...names: readonly string[]) => textOf(first(attributes, names));
  const count = (...names: readonly string[]) => countOf(first(attributes, names));
  const operation = text('gen_ai.operation.name');
  const kind = text('openinference.span.kind');
  if (operation !== undefined && !inference.has(operation)) return undefined;
  if (kind !== undefined && !inferenceKinds.has(kind)) return undefined;
  const answeredModel = text('gen_ai.response.model');
  const model = text('gen_ai.request.model', 'llm.model_name') ?? answeredModel;
  const provider = text('gen_ai.provider.name', 'gen_ai.system', 'llm.provider', 'llm.system');
  const input = count('gen_ai.usage.input_tokens', 'gen_ai.usage.prompt_tokens', 'llm.token_count.prompt');
  const output = count(
    'gen_ai.usage.output_tokens',
    'gen_ai.usage.completion_tokens',
    'llm.token_count.completion',
  );
  if (model === undefined || provider === undefined || (input === undefined && output === undefined))
    return undefined;
  const read = count(
    'gen_ai.usage.cache_read.input_tokens',
    'gen_ai.usage.cache_read_input_tokens',
    'gen_ai.usage.input_tokens.cached',
    'llm.token_count.prompt_details.cache_read',
  );
  const written = count(
    'gen_ai.usage.cache_creation.input_tokens',
    'gen_ai.usage.cache_write.input_tokens',
    'gen_ai.usage.cache_creation_input_tokens',
    'llm.token_count.prompt_details.cache_write',
  );
  const reasoning = count(
    'gen_ai.usage.reasoning.output_tokens',
    'gen_ai.usage.output_tokens.reasoning',
    'llm.token_count.completion_details.reasoning',
  );
  return {
    provider: providerOf(provider),
    model,
    answeredModel,
    responseId: text('gen_ai.response.id', 'ai.response.id'),
    operation: operation === 'embeddings' || kind === 'EMBEDDING' ? 'embeddings' : 'chat',
    usage: usageOf({ input, output, read, written, reasoning }),
  };
}

interface Counts {
  readonly input: number | undefined;
  readonly output: number | undefined;
  readonly read: number | undefined;
  readonly written: number | undefined;
  readonly reasoning: number | undefined;
}

/** The input is taken with what was read from and written to a cache, as the conventions have it; where it is less, the emitter leaves them out of it. */
function usageOf({ input = 0, output = 0, read = 0, written = 0, reasoning }: Counts): ReportedUsage {
  const faults: string[] = [];
  const isApart = read + written > input;
  if (isApart) faults.push(`the cached input (${read + written}) is more than the input (${input})`);
  return {
    input: splitTotal(
      'input',
      isApart ? input + read + written : input,
      { cache_read: read, cache_write_5m: written },
      'uncached_input',
      faults,
    ),
    output: splitTotal('output', output, { reasoning }, 'text_output', faults),
    faults,
  };
}

/** "openai.responses", as the AI SDK names a provider's interface, is OpenAI. */
function providerOf(name: string): string {
  const lower = name.toLowerCase();
  const known = providers[lower];
  if (known !== undefined) return known;
  return lower.split('.', 1)[0] ?? lower;
}

function first(
  attributes: ReadonlyMap<string, AttributeValue>,
  names: readonly string[],
): AttributeValue | undefined {
  return names.map((name) => attributes.get(name)).find((value) => value !== undefined);
}

function textOf(value: AttributeValue | undefined): string | undefined {
  const isName =
    typeof value === 'string' && value !== '' && value.length <= maxName && isPrintableName(value);
  return isName ? value : undefined;
}

function countOf(value: AttributeValue | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
