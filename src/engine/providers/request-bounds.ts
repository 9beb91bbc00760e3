import type {
  EmbeddingModelV4CallOptions,
  LanguageModelV4CallOptions,
  LanguageModelV4FilePart,
  LanguageModelV4Message,
  LanguageModelV4ToolResultOutput,
} from '@ai-sdk/provider';
import type { Pricer } from '../../pricing/price.ts';
import { tierOf } from '../../pricing/tier-names.ts';
import type { UnitCounts } from '../../pricing/usage-units.ts';
import { isClaudeOfVertex } from './provider-kinds.ts';
import type { ModelTarget } from './provider-registry.ts';
import { reservedUnits } from './tool-uses.ts';
import { embeddingUsageLimits, languageUsageLimits, type UsageLimits } from './usage-limits.ts';

/*
 * What a request can use at most, before anyone has seen it: never too low, so that the reserved amount is a true
 * upper bound. A token is at least one byte of UTF-8, so bytes bound the text; the rest are generous constants.
 */

/** The most tokens a request can take in and put out. */
export interface RequestBounds {
  readonly maxInputTokens: number;
  readonly maxOutputTokens: number;
  /** How often the provider's own tools can be used for it. */
  readonly maxUnits?: UnitCounts;
  /** What a provider may report of it. */
  readonly usageLimits: UsageLimits;
}

/** Role and separators of one message. */
const messageOverheadTokens = 32;
/** The provider's own words around one tool, and the hidden prompt that tools bring along (Anthropic: up to 700). */
const toolOverheadTokens = 64;
const toolUseOverheadTokens = 1024;
/** One picture at full detail (the most expensive: a small OpenAI model that counts a picture as some 48,000 tokens). */
const imageTokens = 50_000;
/** What lies behind an address, or at the provider: its size is not known. */
const remoteFileTokens = 200_000;
/** When neither the request nor the catalogue says how long an answer can get. */
const defaultMaxOutputTokens = 128_000;
const defaultContextTokens = 1_000_000;

/** The bounds of a request to a language model. */
export function languageBounds(
  target: ModelTarget<unknown>,
  options: LanguageModelV4CallOptions,
  limits: ReturnType<Pricer['limits']>,
): RequestBounds {
  const contextTokens = limits.contextTokens ?? defaultContextTokens;
  let tokens = toolTokens(options, contextTokens);
  for (const message of options.prompt) tokens += messageTokens(message);
  if (options.responseFormat !== undefined && options.responseFormat.type === 'json') {
    tokens += jsonBytes(options.responseFormat) + toolUseOverheadTokens;
  }
  const modelMaxTokens = limits.maxOutputTokens ?? defaultMaxOutputTokens;
  const asked = options.maxOutputTokens;
  const bounds = {
    maxInputTokens: tokens,
    maxOutputTokens:
      asked === undefined || thinksOnTop(target, options) ? Math.max(modelMaxTokens, asked ?? 0) : asked,
  };
  const maxUnits = reservedUnits(options);
  return {
    ...bounds,
    ...(maxUnits === undefined ? {} : { maxUnits }),
    usageLimits: languageUsageLimits(target, options, limits, bounds),
  };
}

/** The bounds of a request to an embedding model: nothing comes out that is billed. */
export function embeddingBounds(options: EmbeddingModelV4CallOptions): RequestBounds {
  let tokens = 0;
  for (const value of options.values) tokens += Buffer.byteLength(value) + messageOverheadTokens;
  const bounds = { maxInputTokens: tokens, maxOutputTokens: 0 };
  return { ...bounds, usageLimits: embeddingUsageLimits(bounds) };
}

/** The service tier that a request asks for; "default" when it does not. */
export function requestedTier(options: Pick<LanguageModelV4CallOptions, 'providerOptions'>): string {
  for (const provider of Object.values(options.providerOptions ?? {})) {
    const { serviceTier, speed } = provider as { serviceTier?: unknown; speed?: unknown };
    if (typeof serviceTier === 'string') return tierOf(serviceTier);
    if (speed === 'fast') return 'fast';
  }
  return 'default';
}

// Anthropic adds the thinking budget to the output that was asked for.
function thinksOnTop({ kind, modelId }: ModelTarget<unknown>, options: LanguageModelV4CallOptions): boolean {
  if (kind !== 'anthropic' && kind !== 'bedrock' && !isClaudeOfVertex(kind, modelId)) return false;
  const hasReasoning =
    options.reasoning !== undefined &&
    options.reasoning !== 'provider-default' &&
    options.reasoning !== 'none';
  const { anthropic, bedrock, amazonBedrock } = options.providerOptions ?? {};
  const isAsked = [anthropic?.['thinking'], bedrock?.['reasoningConfig'], amazonBedrock?.['reasoningConfig']];
  return hasReasoning || isAsked.some((option) => option !== undefined);
}

function toolTokens({ tools }: LanguageModelV4CallOptions, contextTokens: number): number {
  if (tools === undefined || tools.length === 0) return 0;
  let tokens = toolUseOverheadTokens;
  for (const tool of tools) {
    // A provider's own tool (search, code) feeds its results back into the input: only the context bounds that.
    tokens += tool.type === 'provider' ? contextTokens : toolOverheadTokens + jsonBytes(tool);
  }
  return tokens;
}

function messageTokens(message: LanguageModelV4Message): number {
  if (message.role === 'system') return messageOverheadTokens + Buffer.byteLength(message.content);
  let tokens = messageOverheadTokens;
  for (const part of message.content) {
    tokens += messageOverheadTokens;
    switch (part.type) {
      case 'text':
      case 'reasoning':
        tokens += Buffer.byteLength(part.text);
        break;
      case 'file':
        tokens += fileTokens(part.mediaType, part.data);
        break;
      case 'reasoning-file':
        tokens += fileTokens(part.mediaType, part.data);
        break;
      case 'tool-call':
        tokens += part.toolName.length + jsonBytes(part.input);
        break;
      case 'tool-result':
        tokens += toolResultTokens(part.output);
        break;
      case 'tool-approval-response':
      case 'custom':
        break;
    }
  }
  return tokens;
}

function toolResultTokens(output: LanguageModelV4ToolResultOutput): number {
  if (output.type !== 'content') return 'value' in output ? jsonBytes(output.value) : messageOverheadTokens;
  let tokens = 0;
  for (const part of output.value) {
    if (part.type === 'text') tokens += Buffer.byteLength(part.text);
    else if (part.type === 'file') tokens += fileTokens(part.mediaType, part.data);
  }
  return tokens;
}

function fileTokens(mediaType: string, file: LanguageModelV4FilePart['data']): number {
  if (file.type === 'text') return Buffer.byteLength(file.text);
  if (mediaType.startsWith('image')) return imageTokens;
  return file.type === 'data' ? Math.max(file.data.length, imageTokens) : remoteFileTokens;
}

function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value) ?? '');
}
