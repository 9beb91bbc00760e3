import type { Refusal } from './provider-errors.ts';
import type { BilledTokens, SimulatedModel, SimulatedProvider } from './simulator-prices.ts';

/*
 * What the four endpoints have in common: each parses its provider's request into a ModelRequest, and writes the
 * Answer back in its provider's words. Everything between (faults, limits, answers, tokens, bill) knows no provider.
 */

export type EndpointName = 'chat.completions' | 'responses' | 'embeddings' | 'messages';

export type JsonSchema = Readonly<Record<string, unknown>>;

export interface OfferedTool {
  readonly name: string;
  readonly schema: JsonSchema;
}

export type ToolChoice =
  { readonly kind: 'auto' | 'none' | 'required' } | { readonly kind: 'tool'; readonly name: string };

/** Where the client asked for a prefix of the prompt to be kept, and for how long. */
export interface CacheBreakpoint {
  readonly endTokens: number;
  readonly lifetime: '5m' | '1h';
}

export type ReasoningEffort = 'none' | 'minimal' | 'low' | 'medium' | 'high';

/** A request, without its provider's words. */
export interface ModelRequest {
  /** The model as it was asked for. */
  readonly model: string;
  /** Every text of the prompt, in order. */
  readonly texts: readonly string[];
  /** The text that the answer is about: the last one that the user gave. */
  readonly subject: string;
  readonly inputTokens: number;
  /** `automatic`: the provider caches long prompts unasked. */
  readonly caching: 'automatic' | 'none' | readonly CacheBreakpoint[];
  readonly maxOutputTokens: number | undefined;
  readonly stream: boolean;
  /** Whether the client lets the provider report usage (a chat stream must ask for it). */
  readonly wantsUsage: boolean;
  readonly effort: ReasoningEffort;
  /** Set where the client switched thinking on by a budget. */
  readonly thinkingBudgetTokens: number | undefined;
  readonly format:
    { readonly kind: 'text' } | { readonly kind: 'json'; readonly schema: JsonSchema | undefined };
  readonly tools: readonly OfferedTool[];
  readonly toolChoice: ToolChoice;
  readonly mayCallInParallel: boolean;
  readonly isAfterToolResult: boolean;
  /** The service tier as it was asked for. */
  readonly tier: string | undefined;
  readonly embeddings: EmbeddingsRequest | undefined;
}

export interface EmbeddingsRequest {
  readonly inputs: readonly string[];
  readonly dimensions: number;
  readonly encoding: 'float' | 'base64';
}

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON text. */
  readonly arguments: string;
}

/** What was generated, before it is put into a provider's words. */
export interface Generation {
  readonly text: string;
  readonly thinking: string;
  readonly toolCalls: readonly ToolCall[];
  readonly finish: 'stop' | 'length' | 'tool_calls';
  readonly tokens: BilledTokens;
}

/** A generation with the circumstances that its provider's words need. */
export interface Answer extends Generation {
  /** Unique part of the answer's and its items' ids. */
  readonly id: string;
  readonly at: Date;
  readonly seed: number;
  readonly model: SimulatedModel;
  /** The service tier that served it. */
  readonly tier: string;
  readonly request: ModelRequest;
  readonly showsUsage: boolean;
  /** An answer without content. */
  readonly isEmpty: boolean;
}

export type Parsed =
  | { readonly kind: 'request'; readonly request: ModelRequest }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** One provider endpoint. */
export interface Endpoint {
  readonly name: EndpointName;
  readonly provider: SimulatedProvider;
  readonly path: string;
  /** Reads a body that is JSON; refuses it as the provider would. */
  parse(body: unknown, charactersPerToken: number): Parsed;
  /** The whole answer as one JSON object. */
  body(answer: Answer): unknown;
  /** The answer as frames of an event stream. */
  frames(answer: Answer): string[];
}
