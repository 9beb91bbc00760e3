import type {
  EmbeddingModelV4Result,
  LanguageModelV4Content,
  LanguageModelV4File,
  LanguageModelV4FinishReason,
  LanguageModelV4GenerateResult,
  LanguageModelV4ReasoningFile,
  LanguageModelV4ResponseMetadata,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
  SharedV4ProviderMetadata,
  SharedV4Warning,
} from '@ai-sdk/provider';
import { invariant } from '../../kernel/invariant.ts';
import type { ProviderAnswer } from '../providers/provider-exchange.ts';

/*
 * An answer as it is kept to be given again: one format for whole and streamed answers, so that either can be given
 * as the other. JSON with three exceptions spelled out: bytes of files as base64, addresses and times as text.
 * Vectors are kept as the base64 of their floats, single precision where that loses nothing. The answer to a request that was put off
 * came without its request, and is kept as the provider wrote it.
 */

/** What a language model answered. */
export interface LanguageAnswer {
  readonly content: readonly LanguageModelV4Content[];
  readonly finishReason: LanguageModelV4FinishReason;
  readonly usage: LanguageModelV4Usage;
  readonly warnings: readonly SharedV4Warning[];
  readonly response: LanguageModelV4ResponseMetadata;
  readonly providerMetadata?: SharedV4ProviderMetadata;
  readonly structuredOutputText?: string;
}

/** What an embedding model answered. */
export type EmbeddingAnswer = Pick<
  EmbeddingModelV4Result,
  'embeddings' | 'usage' | 'providerMetadata' | 'warnings'
>;

type FileContent = LanguageModelV4File | LanguageModelV4ReasoningFile;

/** A file's data in JSON. */
type StoredFileData =
  | { readonly type: 'bytes'; readonly base64: string }
  | { readonly type: 'text'; readonly data: string }
  | { readonly type: 'url'; readonly url: string; readonly originalUrl?: string };

type StoredContent = Exclude<LanguageModelV4Content, FileContent> | StoredFile<FileContent>;

type StoredFile<File extends FileContent> = File extends FileContent
  ? Omit<File, 'data'> & { readonly data: StoredFileData }
  : never;

interface StoredLanguageAnswer extends Omit<LanguageAnswer, 'content' | 'response'> {
  readonly kind: 'language/1';
  readonly content: readonly StoredContent[];
  readonly response: Omit<LanguageModelV4ResponseMetadata, 'timestamp'> & { readonly timestamp?: string };
}

interface StoredEmbeddingAnswer extends Omit<EmbeddingAnswer, 'embeddings'> {
  readonly kind: 'embedding/1';
  readonly precision: 'single' | 'double';
  /** The dimensions of each vector. */
  readonly lengths: readonly number[];
  readonly base64: string;
}

interface StoredProviderAnswer extends ProviderAnswer {
  readonly kind: 'provider/1';
}

/**
 * The answer to a request that was put off, as its provider wrote it: only the request can be told what it means, and is made again
 * when the answer is used.
 */
export function encodeProviderAnswer({ statusCode, body }: ProviderAnswer): string {
  const stored: StoredProviderAnswer = { kind: 'provider/1', statusCode, body };
  return JSON.stringify(stored);
}

/** The answer as its provider wrote it; undefined for one that was understood before it was kept. */
export function providerAnswerOf(json: string): ProviderAnswer | undefined {
  if (!json.startsWith('{"kind":"provider/1"')) return undefined;
  const { statusCode, body } = JSON.parse(json) as StoredProviderAnswer;
  return { statusCode, body };
}

/** The answer in a whole result, without what belongs to its one transfer only (headers, bodies). */
export function answerOfResult(result: LanguageModelV4GenerateResult): LanguageAnswer {
  const { id, timestamp, modelId } = result.response ?? {};
  return {
    content: result.content,
    finishReason: result.finishReason,
    usage: result.usage,
    warnings: result.warnings,
    response: {
      ...(id === undefined ? {} : { id }),
      ...(timestamp === undefined ? {} : { timestamp }),
      ...(modelId === undefined ? {} : { modelId }),
    },
    ...(result.providerMetadata === undefined ? {} : { providerMetadata: result.providerMetadata }),
    ...(result.structuredOutputText === undefined
      ? {}
      : { structuredOutputText: result.structuredOutputText }),
  };
}

/** The answer as the result of a call that does not stream. */
export function resultOfAnswer(answer: LanguageAnswer): LanguageModelV4GenerateResult {
  return {
    ...answer,
    content: [...answer.content],
    warnings: [...answer.warnings],
    response: answer.response,
  };
}

/** The answer as the parts of a stream, each content in one piece. */
export function streamPartsOfAnswer(answer: LanguageAnswer): LanguageModelV4StreamPart[] {
  return [
    { type: 'stream-start', warnings: [...answer.warnings] },
    { type: 'response-metadata', ...answer.response },
    ...contentOfStream(answer).flatMap((content, index) => partsOfContent(content, `recorded-${index}`)),
    {
      type: 'finish',
      finishReason: answer.finishReason,
      usage: answer.usage,
      ...(answer.providerMetadata === undefined ? {} : { providerMetadata: answer.providerMetadata }),
    },
  ];
}

export function encodeLanguageAnswer(answer: LanguageAnswer): string {
  const { timestamp, ...response } = answer.response;
  const stored: StoredLanguageAnswer = {
    ...answer,
    kind: 'language/1',
    content: answer.content.map((content) => storedContent(content)),
    response: { ...response, ...(isTime(timestamp) ? { timestamp: timestamp.toISOString() } : {}) },
  };
  return JSON.stringify(stored);
}

/** A provider's number of seconds may be no time. */
function isTime(timestamp: Date | undefined): timestamp is Date {
  return timestamp instanceof Date && !Number.isNaN(timestamp.getTime());
}

export function decodeLanguageAnswer(json: string): LanguageAnswer {
  const { kind, ...stored } = JSON.parse(json) as StoredLanguageAnswer;
  invariant(kind === 'language/1', `the recorded answer is a language model's, not "${kind}"`);
  const { timestamp, ...response } = stored.response;
  return {
    ...stored,
    content: stored.content.map((content) => contentOfStored(content)),
    response: { ...response, ...(timestamp === undefined ? {} : { timestamp: new Date(timestamp) }) },
  };
}

export function encodeEmbeddingAnswer({ embeddings, ...rest }: EmbeddingAnswer): string {
  const values = embeddings.flat();
  const isSingle = values.every((value) => Object.is(Math.fround(value), value));
  const floats = isSingle ? Float32Array.from(values) : Float64Array.from(values);
  const stored: StoredEmbeddingAnswer = {
    ...rest,
    kind: 'embedding/1',
    precision: isSingle ? 'single' : 'double',
    lengths: embeddings.map((embedding) => embedding.length),
    base64: Buffer.from(floats.buffer).toString('base64'),
  };
  return JSON.stringify(stored);
}

export function decodeEmbeddingAnswer(json: string): EmbeddingAnswer {
  const { kind, precision, lengths, base64, ...rest } = JSON.parse(json) as StoredEmbeddingAnswer;
  invariant(kind === 'embedding/1', `the recorded answer is an embedding model's, not "${kind}"`);
  // A copy, because a small Buffer lies anywhere in a shared pool and floats need aligned bytes.
  const bytes = new Uint8Array(Buffer.from(base64, 'base64'));
  const floats = precision === 'single' ? new Float32Array(bytes.buffer) : new Float64Array(bytes.buffer);
  let start = 0;
  const embeddings = lengths.map((length) => Array.from(floats.subarray(start, (start += length))));
  return { ...rest, embeddings };
}

// What a structured answer is parsed from stands apart from the texts when they hold drafts as well.
function contentOfStream({
  content,
  structuredOutputText,
}: LanguageAnswer): readonly LanguageModelV4Content[] {
  if (structuredOutputText === undefined) return content;
  return [...content.filter(({ type }) => type !== 'text'), { type: 'text', text: structuredOutputText }];
}

function partsOfContent(content: LanguageModelV4Content, id: string): LanguageModelV4StreamPart[] {
  if (content.type === 'tool-call') {
    const { toolCallId, toolName, input, providerExecuted, dynamic } = content;
    const flags = {
      ...(providerExecuted === undefined ? {} : { providerExecuted }),
      ...(dynamic === undefined ? {} : { dynamic }),
    };
    return [
      { type: 'tool-input-start', id: toolCallId, toolName, ...flags },
      { type: 'tool-input-delta', id: toolCallId, delta: input },
      { type: 'tool-input-end', id: toolCallId },
      content,
    ];
  }
  if (content.type !== 'text' && content.type !== 'reasoning') return [content];
  const metadata =
    content.providerMetadata === undefined ? {} : { providerMetadata: content.providerMetadata };
  const start = { id, ...metadata };
  if (content.type === 'reasoning') {
    return [
      { type: 'reasoning-start', ...start },
      { type: 'reasoning-delta', id, delta: content.text },
      { type: 'reasoning-end', ...start },
    ];
  }
  return [
    { type: 'text-start', ...start },
    { type: 'text-delta', id, delta: content.text },
    {
      type: 'text-end',
      ...start,
      ...(content.citations === undefined ? {} : { citations: content.citations }),
    },
  ];
}

function storedContent(content: LanguageModelV4Content): StoredContent {
  if (content.type !== 'file' && content.type !== 'reasoning-file') return content;
  return { ...content, data: storedFileData(content.data) };
}

function storedFileData(data: FileContent['data']): StoredFileData {
  if (data.type === 'url') {
    const original = data.originalUrl === undefined ? {} : { originalUrl: data.originalUrl };
    return { type: 'url', url: data.url.href, ...original };
  }
  return typeof data.data === 'string'
    ? { type: 'text', data: data.data }
    : { type: 'bytes', base64: Buffer.from(data.data).toString('base64') };
}

function contentOfStored(content: StoredContent): LanguageModelV4Content {
  if (content.type !== 'file' && content.type !== 'reasoning-file') return content;
  return { ...content, data: fileDataOfStored(content.data) };
}

function fileDataOfStored(data: StoredFileData): FileContent['data'] {
  switch (data.type) {
    case 'bytes':
      return { type: 'data', data: new Uint8Array(Buffer.from(data.base64, 'base64')) };
    case 'text':
      return { type: 'data', data: data.data };
    case 'url':
      return { ...data, url: new URL(data.url) };
  }
}
