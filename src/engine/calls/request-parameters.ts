import { hash } from 'node:crypto';
import type {
  EmbeddingModelV4CallOptions,
  LanguageModelV4,
  LanguageModelV4CallOptions,
} from '@ai-sdk/provider';
import { isClaudeOfVertex, providerKinds } from '../providers/provider-kinds.ts';
import type { ModelTarget } from '../providers/provider-registry.ts';
import { canonicalJson } from './request-digest.ts';

/*
 * What an answer can depend on besides its prompt, as it is kept with the call: small, bounded, and without anything
 * that was asked. It is for the reader of a dead letter who wants to ask the same again.
 */

const maxListed = 32;
const maxNameCharacters = 64;

/** The parameters of a request to a language model, as JSON; what was left to the provider is left out. */
export function languageParameters(options: LanguageModelV4CallOptions, seed?: number): string {
  const { responseFormat, toolChoice, stopSequences, tools } = options;
  return JSON.stringify({
    seed: options.seed ?? seed,
    isSeedDerived: options.seed === undefined && seed !== undefined ? true : undefined,
    temperature: options.temperature,
    topP: options.topP,
    topK: options.topK,
    presencePenalty: options.presencePenalty,
    frequencyPenalty: options.frequencyPenalty,
    maxOutputTokens: options.maxOutputTokens,
    reasoning: options.reasoning,
    stop: stopSequences?.slice(0, maxListed).map(short),
    // Plain text is what every request is that says nothing.
    responseFormat: responseFormat?.type === 'text' ? undefined : responseFormat?.type,
    tools: tools?.slice(0, maxListed).map(({ name }) => short(name)),
    toolChoice: tools === undefined ? undefined : toolChoice?.type,
    providerOptions: digestOf(options.providerOptions),
  });
}

/** The parameters of a request to an embedding model. */
export function embeddingParameters({ values, providerOptions }: EmbeddingModelV4CallOptions): string {
  return JSON.stringify({ values: values.length, providerOptions: digestOf(providerOptions) });
}

/** A seed from 0 to 2³¹ − 1 that follows from the place and the number of the attempt, so that each has its own. */
export function derivedSeed(root: string, step: string, ordinal: number, attempt: number): number {
  return hash('sha256', `${root} ${ordinal} ${attempt} ${step}`, 'buffer').readUInt32BE(0) >>> 1;
}

/** Whether the model's API has a seed: chat completions do, OpenAI's responses and Anthropic's messages do not. */
export function acceptsSeed({ kind, model }: ModelTarget<LanguageModelV4>): boolean {
  if (kind === 'openai' || kind === 'azure') return model.provider.endsWith('.chat');
  if (isClaudeOfVertex(kind, model.modelId)) return false;
  return kind === 'custom' || providerKinds[kind].acceptsSeed;
}

/** Enough to tell whether two requests had the same ones; they may hold secrets. */
function digestOf(options: object | undefined): string | undefined {
  return options === undefined || Object.keys(options).length === 0
    ? undefined
    : hash('sha256', canonicalJson(options)).slice(0, 16);
}

function short(text: string): string {
  // Cut first: a cut may halve an emoji.
  return text.slice(0, maxNameCharacters).toWellFormed().replaceAll('\u0000', '\uFFFD');
}
