import { Readable } from 'node:stream';
import { AppError } from '../../../kernel/app-error.ts';
import { headerOf } from '../../../http/request-facts.ts';
import { csvMediaType, jsonLinesMediaType, parquetMediaType } from '../../../http/streamed-bodies.ts';
import { type InputEncoding, inputEncodings } from './input/input-bytes.ts';
import type { BatchInput, InputFormat } from './input/input-records.ts';
import type { UploadQuery } from './intake-requests.ts';

const formats: Readonly<Record<string, InputFormat>> = {
  [jsonLinesMediaType]: 'jsonl',
  [csvMediaType]: 'csv',
  [parquetMediaType]: 'parquet',
};

/** The input that a request sends. Throws MILLRACE_MEDIA_TYPE_UNSUPPORTED for a type, a charset or an encoding that is not known. */
export function inputOfRequest(
  request: object,
  body: unknown,
  { query, signal }: { readonly query: UploadQuery; readonly signal: AbortSignal },
): BatchInput {
  const contentType = headerOf(request, 'content-type') ?? '';
  const mediaType = contentType.split(';')[0]?.trim().toLowerCase() ?? '';
  const format = formats[mediaType];
  const bytes = bytesOf(request, body);
  if (format === undefined || bytes === undefined) {
    throw new AppError(
      'MILLRACE_MEDIA_TYPE_UNSUPPORTED',
      `Items are accepted as ${Object.keys(formats).join(', ')}.`,
    );
  }
  refuseCharset(contentType);
  return {
    format,
    encoding: encodingOf(headerOf(request, 'content-encoding')),
    query,
    signal,
    bytes,
    declaredBytes: declaredBytesOf(request),
  };
}

const charset = /;\s*charset\s*=\s*"?(?<name>[^\s;"]*)/gi;

/** Texts are read as UTF-8, and as nothing else. */
function refuseCharset(contentType: string): void {
  const names = [...contentType.matchAll(charset)].map(({ groups }) => groups?.['name']?.toLowerCase());
  if (names.every((name) => name === 'utf-8' || name === 'utf8')) return;
  throw new AppError('MILLRACE_MEDIA_TYPE_UNSUPPORTED', 'Items are accepted in UTF-8 alone.');
}

function encodingOf(header = 'identity'): InputEncoding {
  const encoding = inputEncodings.find((one) => one === header.trim().toLowerCase());
  if (encoding !== undefined) return encoding;
  throw new AppError(
    'MILLRACE_MEDIA_TYPE_UNSUPPORTED',
    `Items are accepted with the content encodings ${inputEncodings.join(' and ')}.`,
  );
}

/** How many bytes the request says that it has; undefined where it does not. */
function declaredBytesOf(request: object): number | undefined {
  const length = headerOf(request, 'content-length');
  return length === undefined ? undefined : Number(length);
}

/** The body as it arrives: handed on by the server, or, in an application that reads none of this type, the request itself. */
function bytesOf(request: object, body: unknown): AsyncIterable<Uint8Array> | undefined {
  if (isIterable(body)) return body;
  return request instanceof Readable && !request.readableEnded ? request : undefined;
}

function isIterable(body: unknown): body is AsyncIterable<Uint8Array> {
  return typeof body === 'object' && body !== null && Symbol.asyncIterator in body;
}
