import { Body, Controller, Headers, HttpCode, HttpStatus, Inject, Post, Req, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import type { ApiKeyIdentity } from '../../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../../http/caller.ts';
import { JsonBatch } from '../../../http/json-body.ts';
import { jsonOf } from '../../../http/json-content.ts';
import { batchMediaType, eventMediaType, maxBatchEvents } from '../../../http/message-media-types.ts';
import { problemSchema } from '../../../http/problem.ts';
import { Problems } from '../../../http/problems.ts';
import { invalidRequest } from '../../../http/request-faults.ts';
import { requestIdOf } from '../../../http/request-facts.ts';
import type { ResponseWriter } from '../../../http/response-writer.ts';
import { AppError } from '../../../kernel/app-error.ts';
import { eventOfPayload, maxPayloads } from './litellm-payload.ts';
import { keptKeyDays } from './told-time.ts';
import { UsageIntake, type UsageReceipt, usageReceiptSchema } from './usage-intake.ts';

export const usageBatchReceiptSchema = z.object({
  recorded: z.int(),
  duplicates: z.int(),
  refused: z.int(),
  results: z
    .array(z.union([usageReceiptSchema, z.object({ outcome: z.literal('refused'), problem: problemSchema })]))
    .describe('One for each event, in the order of the request.'),
});
type UsageBatchReceipt = z.output<typeof usageBatchReceiptSchema>;

/** The way in for calls that happened elsewhere. */
@ApiTags('usage')
@ApiBearerAuth()
@Controller('v1/usage')
export class UsageController {
  readonly #intake: UsageIntake;
  readonly #problems: Problems;

  constructor(@Inject(UsageIntake) intake: UsageIntake, @Inject(Problems) problems: Problems) {
    this.#intake = intake;
    this.#problems = problems;
  }

  @Post()
  @RequireScope('usage:write')
  @HttpCode(HttpStatus.ACCEPTED)
  @ApiOperation({
    operationId: 'recordUsage',
    summary: 'Record calls to models that happened elsewhere, as a CloudEvent 1.0 or a batch of them',
    description:
      'CloudEvents in structured JSON of the type "millrace.usage". What is recorded is durable, priced by the price book at the time of the call, and in all reports, with the way "event". ' +
      `The same source and id again, or another event about the same answer of a provider, is a duplicate and changes nothing; calls of more than ${keptKeyDays} days ago are refused. ` +
      `A batch holds at most ${maxBatchEvents} events, each of which is recorded or refused by itself.`,
  })
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/UsageEvent' } })
  @ApiResponse({
    status: 202,
    description: 'Recorded: a receipt, or for a batch one of each event.',
    content: {
      'application/json': {
        schema: {
          oneOf: [
            { $ref: '#/components/schemas/UsageReceipt' },
            { $ref: '#/components/schemas/UsageBatchReceipt' },
          ],
        },
      },
    },
  })
  @ApiResponse({
    status: 207,
    description: 'A batch of which some events were refused; the others are recorded.',
    content: jsonOf('UsageBatchReceipt'),
  })
  async post(
    @Body() body: unknown,
    @Headers('content-type') contentType: string | undefined,
    @Caller() caller: ApiKeyIdentity,
    @Req() request: object,
    @Res({ passthrough: true }) response: ResponseWriter,
  ): Promise<UsageReceipt | UsageBatchReceipt> {
    switch (contentType?.split(';')[0]?.trim().toLowerCase()) {
      case eventMediaType: {
        const [outcome] = await this.#intake.record([() => body], caller);
        if (outcome?.status === 'fulfilled') return outcome.value;
        throw outcome?.reason;
      }
      case batchMediaType: {
        const receipt = await this.#recordBatch(body, caller, requestIdOf(request));
        if (receipt.refused > 0) response.status(HttpStatus.MULTI_STATUS);
        return receipt;
      }
      default:
        throw new AppError(
          'MILLRACE_MEDIA_TYPE_UNSUPPORTED',
          `Usage is accepted as ${eventMediaType} or ${batchMediaType}.`,
        );
    }
  }

  @Post('litellm')
  @RequireScope('usage:write')
  @HttpCode(HttpStatus.ACCEPTED)
  @ApiOperation({
    operationId: 'recordLiteLlmUsage',
    summary: "Record calls that LiteLLM's proxy made, as its generic callback sends them",
    description:
      'A StandardLoggingPayload, or an array of up to 1,000. Each is recorded like a usage event of the source "/litellm": priced by the price book, with LiteLLM\'s own cost beside it.',
  })
  @ApiBody({
    required: true,
    schema: {
      oneOf: [
        { type: 'object', required: ['id', 'model'] },
        { type: 'array', maxItems: maxPayloads, items: { type: 'object', required: ['id', 'model'] } },
      ],
    },
  })
  @ApiResponse({
    status: 202,
    description: 'Recorded: a receipt of each.',
    content: jsonOf('UsageBatchReceipt'),
  })
  @ApiResponse({
    status: 207,
    description: 'Some were refused; the others are recorded.',
    content: jsonOf('UsageBatchReceipt'),
  })
  async postLiteLlm(
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
    @Req() request: object,
    @Res({ passthrough: true }) response: ResponseWriter,
  ): Promise<UsageBatchReceipt> {
    const payloads: readonly unknown[] = Array.isArray(body) ? body : [body];
    if (payloads.length > maxPayloads)
      throw invalidRequest([{ field: 'body', problem: `must have at most ${maxPayloads} payloads` }]);
    const events = payloads.map((payload) => () => eventOfPayload(payload));
    const receipt = await this.#recordAll(events, caller, {
      path: '/v1/usage/litellm',
      id: requestIdOf(request),
    });
    if (receipt.refused > 0) response.status(HttpStatus.MULTI_STATUS);
    return receipt;
  }

  async #recordBatch(
    body: unknown,
    caller: ApiKeyIdentity,
    requestId: string | undefined,
  ): Promise<UsageBatchReceipt> {
    if (!(body instanceof JsonBatch))
      throw invalidRequest([{ field: 'body', problem: 'must be a JSON array of events' }]);
    const events = Array.from({ length: body.length }, (_, index) => () => body.read(index));
    return await this.#recordAll(events, caller, { path: '/v1/usage', id: requestId });
  }

  async #recordAll(
    events: readonly (() => unknown)[],
    caller: ApiKeyIdentity,
    { path, id }: { readonly path: string; readonly id: string | undefined },
  ): Promise<UsageBatchReceipt> {
    const outcomes = await this.#intake.record(events, caller);
    const results = outcomes.map((outcome, index): UsageBatchReceipt['results'][number] => {
      if (outcome.status === 'fulfilled') return outcome.value;
      const place = { path: `${path}#${index}`, id };
      return { outcome: 'refused', problem: this.#problems.describe(outcome.reason, place).problem };
    });
    const count = (outcome: UsageBatchReceipt['results'][number]['outcome']): number =>
      results.filter((result) => result.outcome === outcome).length;
    return {
      recorded: count('recorded'),
      duplicates: count('duplicate'),
      refused: count('refused'),
      results,
    };
  }
}
