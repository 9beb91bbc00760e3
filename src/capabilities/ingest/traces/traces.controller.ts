import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { Body, Controller, HttpCode, HttpStatus, Inject, Post, Req, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import type { ApiKeyIdentity } from '../../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../../http/caller.ts';
import { jsonOf } from '../../../http/json-content.ts';
import { largeBodyBytes } from '../../../http/large-bodies.ts';
import { invalidRequest } from '../../../http/request-faults.ts';
import { headerOf } from '../../../http/request-facts.ts';
import type { ResponseWriter } from '../../../http/response-writer.ts';
import { protobufMediaType } from '../../../http/streamed-bodies.ts';
import { AppError } from '../../../kernel/app-error.ts';
import { spansOfJson } from './json-spans.ts';
import { protobufReceipt, spansOfProtobuf } from './protobuf-spans.ts';
import type { ReceivedSpan } from './received-span.ts';
import { TraceIntake } from './trace-intake.ts';

export const tracesReceiptSchema = z.object({
  partialSuccess: z
    .object({
      rejectedSpans: z.string().describe('Spans of calls that were not taken.'),
      errorMessage: z.string().describe('Why the first of them was not.'),
    })
    .optional()
    .describe('Absent where every span was taken.'),
});
type TracesReceipt = z.output<typeof tracesReceiptSchema>;

const maxBytes = largeBodyBytes.get('/v1/traces') ?? 0;
const inflate = promisify(gunzip);

/** The way in for spans, as OTLP over HTTP has it. */
@ApiTags('usage')
@ApiBearerAuth()
@Controller('v1/traces')
export class TracesController {
  readonly #intake: TraceIntake;

  constructor(@Inject(TraceIntake) intake: TraceIntake) {
    this.#intake = intake;
  }

  @Post()
  @RequireScope('usage:write')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    operationId: 'recordTraces',
    summary: 'Record calls to models from spans (OTLP/HTTP)',
    description:
      'An ExportTraceServiceRequest of OTLP in protocol buffers, which may be compressed (content-encoding: gzip), or in JSON. Spans of inference by the conventions for GenAI and by OpenInference are recorded as calls with the way "otlp"; ' +
      'all other spans are taken and not kept. A span that was told before, or whose answer was, changes nothing.',
  })
  @ApiBody({ required: true, schema: { type: 'object' } })
  @ApiResponse({
    status: 200,
    description: 'Taken, in the encoding of the request; with what was rejected, if anything.',
    content: {
      ...jsonOf('TracesReceipt'),
      [protobufMediaType]: { schema: { type: 'string', format: 'binary' } },
    },
  })
  async post(
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
    @Req() request: object,
    @Res({ passthrough: true }) response: ResponseWriter & { type(mediaType: string): unknown },
  ): Promise<TracesReceipt | Buffer> {
    const mediaType = headerOf(request, 'content-type')?.split(';')[0]?.trim().toLowerCase();
    const isBinary = mediaType === protobufMediaType;
    if (!isBinary && mediaType !== 'application/json')
      throw new AppError(
        'MILLRACE_MEDIA_TYPE_UNSUPPORTED',
        `Traces are accepted as ${protobufMediaType} or application/json.`,
      );
    const spans = isBinary ? await readBinary(request, body) : spansOfJson(body);
    const { rejected, reason = '' } = await this.#intake.record(spans, caller);
    if (isBinary) {
      response.type(protobufMediaType);
      return protobufReceipt(rejected, reason);
    }
    return rejected === 0
      ? {}
      : { partialSuccess: { rejectedSpans: String(rejected), errorMessage: reason } };
  }
}

async function readBinary(request: object, body: unknown): Promise<readonly ReceivedSpan[]> {
  const encoding = headerOf(request, 'content-encoding')?.trim().toLowerCase() ?? 'identity';
  if (encoding !== 'identity' && encoding !== 'gzip')
    throw new AppError('MILLRACE_MEDIA_TYPE_UNSUPPORTED', 'Traces are accepted as they are or with gzip.');
  const bytes = await bytesOf(body);
  return spansOfProtobuf(encoding === 'gzip' ? await inflated(bytes) : bytes);
}

async function bytesOf(body: unknown): Promise<Buffer> {
  if (typeof body !== 'object' || body === null || !(Symbol.asyncIterator in body))
    throw invalidRequest([{ field: 'body', problem: 'is required' }]);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

async function inflated(bytes: Buffer): Promise<Buffer> {
  try {
    return await inflate(bytes, { maxOutputLength: maxBytes });
  } catch (error) {
    if (error instanceof RangeError) throw tooLarge();
    throw invalidRequest([{ field: 'body', problem: 'must be what its content-encoding says: gzip' }]);
  }
}

function tooLarge(): AppError {
  return new AppError('MILLRACE_REQUEST_TOO_LARGE', `The body is larger than ${maxBytes} bytes.`);
}
