import {
  APICallError,
  type EmbeddingModelV4,
  type EmbeddingModelV4CallOptions,
  type EmbeddingModelV4Result,
  type LanguageModelV4,
  type LanguageModelV4CallOptions,
  type LanguageModelV4Content,
  type LanguageModelV4FinishReason,
  type LanguageModelV4GenerateResult,
  type LanguageModelV4StreamPart,
  type LanguageModelV4StreamResult,
  type LanguageModelV4Usage,
} from '@ai-sdk/provider';
import { contentText, promptText } from '../engine/providers/prompt-text.ts';
import { streamPartsOfAnswer } from '../engine/calls/recorded-answer.ts';

/*
 * Models that answer by a script, without a network: for tests of stages and of Millrace itself. Everything about them
 * is deterministic. Without a script for the usage a token is four characters, rounded up.
 */

/** Tokens in disjoint classes; what is left out is 0. */
export interface ScriptedUsage {
  readonly uncachedInput?: number;
  readonly cacheRead?: number;
  readonly cacheWrite?: number;
  readonly textOutput?: number;
  readonly reasoning?: number;
}

/** One answer of a script. A text alone is an answer of that text. */
export type ScriptedAnswer =
  | string
  | {
      readonly text?: string;
      readonly reasoning?: string;
      readonly toolCalls?: readonly { readonly toolName: string; readonly input: unknown }[];
      /** Instead of the three above: the content as it is. */
      readonly content?: readonly LanguageModelV4Content[];
      /** `missing`: the model does not say. */
      readonly usage?: ScriptedUsage | 'missing';
      readonly finishReason?: LanguageModelV4FinishReason['unified'];
      /** The name under which the model answers. Default: the one that the model was made with, if any. */
      readonly modelId?: string;
      /** Of a streamed answer: after how many of its parts the stream ends, as when the connection breaks. */
      readonly cutAfterParts?: number;
    }
  /** Fails with the error. */
  | { readonly error: unknown }
  /** Never answers: ends only when it is aborted. */
  | { readonly hang: true };

/** Answers in order, one for each request; or a function of the request and its place, from 1. */
export type Script =
  | readonly ScriptedAnswer[]
  | ((options: LanguageModelV4CallOptions, request: number) => ScriptedAnswer | Promise<ScriptedAnswer>);

/** An error as the AI SDK's providers throw it for an HTTP answer with an error status. */
export function refusal(
  status: number,
  message: string,
  { headers, body }: { readonly headers?: Record<string, string>; readonly body?: unknown } = {},
): APICallError {
  return new APICallError({
    message,
    url: 'https://scripted.invalid/v1',
    requestBodyValues: {},
    statusCode: status,
    ...(headers === undefined ? {} : { responseHeaders: headers }),
    responseBody: JSON.stringify(body ?? { error: { message } }),
  });
}

/** A language model that answers by a script and remembers what it was asked. */
export class ScriptedModel implements LanguageModelV4 {
  readonly specificationVersion = 'v4';
  readonly provider = 'scripted';
  readonly modelId: string;
  readonly supportedUrls = {};
  /** Every request so far, in order. */
  readonly requests: LanguageModelV4CallOptions[] = [];
  readonly #script: Script;
  /** What its answers call it; undefined where it was given no name, and is priced as what was asked for. */
  readonly #answersAs: string | undefined;

  constructor(script: Script, modelId?: string) {
    this.#script = script;
    this.modelId = modelId ?? 'scripted-model';
    this.#answersAs = modelId;
  }

  async doGenerate(options: LanguageModelV4CallOptions): Promise<LanguageModelV4GenerateResult> {
    const answer = await this.#next(options);
    return this.#resultOf(options, answer);
  }

  async doStream(options: LanguageModelV4CallOptions): Promise<LanguageModelV4StreamResult> {
    const answer = await this.#next(options);
    const result = this.#resultOf(options, answer);
    const parts = streamPartsOfAnswer({ ...result, response: result.response ?? {} }).flatMap((part) =>
      inPieces(part),
    );
    const cut = typeof answer === 'string' ? undefined : answer.cutAfterParts;
    return { stream: streamOf(cut === undefined ? parts : parts.slice(0, cut), options.abortSignal) };
  }

  async #next(
    options: LanguageModelV4CallOptions,
  ): Promise<Exclude<ScriptedAnswer, { error: unknown } | { hang: true }>> {
    this.requests.push(options);
    const answer =
      typeof this.#script === 'function'
        ? await this.#script(options, this.requests.length)
        : this.#script[this.requests.length - 1];
    if (answer === undefined) throw scriptEnded(this.requests.length);
    if (typeof answer === 'string') return answer;
    if ('error' in answer) throw answer.error;
    if ('hang' in answer) return untilAborted(options.abortSignal);
    return answer;
  }

  #resultOf(
    options: LanguageModelV4CallOptions,
    answer: Exclude<ScriptedAnswer, { error: unknown } | { hang: true }>,
  ): LanguageModelV4GenerateResult {
    const scripted = typeof answer === 'string' ? { text: answer } : answer;
    const content = scripted.content ?? contentOf(scripted, this.requests.length);
    const hasToolCall = content.some(({ type }) => type === 'tool-call');
    const unified = scripted.finishReason ?? (hasToolCall ? 'tool-calls' : 'stop');
    const answeredAs = scripted.modelId ?? this.#answersAs;
    return {
      content: [...content],
      finishReason: { unified, raw: unified },
      usage: usageOf(scripted.usage ?? measured(options, content)),
      response: {
        id: `answer-${this.requests.length}`,
        ...(answeredAs === undefined ? {} : { modelId: answeredAs }),
        timestamp: new Date(0),
      },
      warnings: [],
    };
  }
}

/** An embedding model whose vectors follow from the texts. */
export class ScriptedEmbeddingModel implements EmbeddingModelV4 {
  readonly specificationVersion = 'v4';
  readonly provider = 'scripted';
  readonly modelId: string;
  readonly maxEmbeddingsPerCall: number;
  readonly supportsParallelCalls = true;
  /** Every request so far, in order. */
  readonly requests: EmbeddingModelV4CallOptions[] = [];
  readonly #dimensions: number;

  constructor({ modelId = 'scripted-embedding', maxEmbeddingsPerCall = 100, dimensions = 8 } = {}) {
    this.modelId = modelId;
    this.maxEmbeddingsPerCall = maxEmbeddingsPerCall;
    this.#dimensions = dimensions;
  }

  doEmbed(options: EmbeddingModelV4CallOptions): Promise<EmbeddingModelV4Result> {
    this.requests.push(options);
    return Promise.resolve({
      embeddings: options.values.map((value) => vectorOf(value, this.#dimensions)),
      usage: { tokens: options.values.reduce((tokens, value) => tokens + tokensOf(value), 0) },
      warnings: [],
    });
  }
}

interface ScriptedContent {
  readonly text?: string;
  readonly reasoning?: string;
  readonly toolCalls?: readonly { readonly toolName: string; readonly input: unknown }[];
}

function contentOf(
  { text, reasoning, toolCalls = [] }: ScriptedContent,
  request: number,
): LanguageModelV4Content[] {
  return [
    ...(reasoning === undefined ? [] : [{ type: 'reasoning' as const, text: reasoning }]),
    ...(text === undefined ? [] : [{ type: 'text' as const, text }]),
    ...toolCalls.map(({ toolName, input }, index) => ({
      type: 'tool-call' as const,
      toolCallId: `call-${request}-${index + 1}`,
      toolName,
      input: JSON.stringify(input),
    })),
  ];
}

function measured(
  options: LanguageModelV4CallOptions,
  content: readonly LanguageModelV4Content[],
): ScriptedUsage {
  return { uncachedInput: tokensOf(promptText(options)), textOutput: tokensOf(contentText(content)) };
}

function usageOf(usage: ScriptedUsage | 'missing'): LanguageModelV4Usage {
  if (usage === 'missing') {
    return {
      inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
      outputTokens: { total: undefined, text: undefined, reasoning: undefined },
    };
  }
  const { uncachedInput = 0, cacheRead = 0, cacheWrite = 0, textOutput = 0, reasoning = 0 } = usage;
  return {
    inputTokens: {
      total: uncachedInput + cacheRead + cacheWrite,
      noCache: uncachedInput,
      cacheRead,
      cacheWrite,
    },
    outputTokens: { total: textOutput + reasoning, text: textOutput, reasoning },
    raw: { uncachedInput, cacheRead, cacheWrite, textOutput, reasoning },
  };
}

function tokensOf(text: string): number {
  return Math.ceil(text.length / 4);
}

/** A vector of single-precision numbers between -1 and 1 that follows from the text. */
function vectorOf(text: string, dimensions: number): number[] {
  let state = 2_166_136_261;
  for (const character of text) state = Math.imul(state ^ (character.codePointAt(0) ?? 0), 16_777_619);
  return Array.from({ length: dimensions }, () => {
    state = Math.imul(state ^ (state >>> 15), 2_246_822_519) + 0x9e3779b9;
    return Math.fround((state | 0) / 2 ** 31);
  });
}

/** Texts come in pieces, as providers stream them. */
function inPieces(part: LanguageModelV4StreamPart): LanguageModelV4StreamPart[] {
  if (part.type !== 'text-delta' && part.type !== 'reasoning-delta') return [part];
  const pieces = part.delta.match(/.{1,8}/gsu) ?? [];
  return pieces.map((delta) => ({ ...part, delta }));
}

function streamOf(
  parts: readonly LanguageModelV4StreamPart[],
  signal: AbortSignal | undefined,
): ReadableStream<LanguageModelV4StreamPart> {
  let next = 0;
  return new ReadableStream({
    pull(controller) {
      if (signal?.aborted) {
        controller.error(signal.reason);
        return;
      }
      const part = parts[next];
      next += 1;
      if (part === undefined) controller.close();
      else controller.enqueue(part);
    },
  });
}

function untilAborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    const onAbort = (): void => reject(signal?.reason as Error);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** As a provider refuses a request that no repetition makes better, so that a test which asks too often fails at once. */
function scriptEnded(request: number): APICallError {
  return refusal(400, `The script has no answer for request ${request}.`);
}
