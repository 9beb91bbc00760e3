import { Body, Controller, Headers, HttpCode, HttpStatus, Inject, Post, Req, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import type { ApiKeyIdentity } from '../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../http/caller.ts';
import { invalidRequest } from '../../http/request-faults.ts';
import { AppError } from '../../kernel/app-error.ts';
import { systemClock } from '../../kernel/clock.ts';
import { EventLoopTurn } from '../../kernel/event-loop-turn.ts';
import type { ResponseWriter } from '../../http/response-writer.ts';
import { EventIntake, eventReceiptSchema, type EventReceipt } from './event-intake.ts';
import { JsonBatch } from '../../http/json-body.ts';
import {
  batchMediaType,
  eventMediaType,
  maxBatchEvents,
  plainMediaType,
} from '../../http/message-media-types.ts';
import { problemSchema } from '../../http/problem.ts';
import { Problems } from '../../http/problems.ts';
import { requestIdOf } from '../../http/request-facts.ts';
import { jsonOf } from '../../http/json-content.ts';

export const batchReceiptSchema = z.object({
  admitted: z.int(),
  duplicates: z.int(),
  refused: z.int(),
  results: z
    .array(z.union([eventReceiptSchema, z.object({ outcome: z.literal('refused'), problem: problemSchema })]))
    .describe('One for each event, in the order of the request.'),
});

type BatchReceipt = z.output<typeof batchReceiptSchema>;
type EventResult = BatchReceipt['results'][number];

/** The way in for messages from outside. */
@ApiTags('messages')
@ApiBearerAuth()
@Controller('v1/messages')
export class MessagesController {
  readonly #intake: EventIntake;
  readonly #problems: Problems;

  constructor(@Inject(EventIntake) intake: EventIntake, @Inject(Problems) problems: Problems) {
    this.#intake = intake;
    this.#problems = problems;
  }

  @Post()
  @RequireScope('messages:write')
  @HttpCode(HttpStatus.ACCEPTED)
  @ApiOperation({
    operationId: 'admitMessages',
    summary: 'Admit a message in plain JSON or as a CloudEvent 1.0, or a batch of CloudEvents',
    description:
      'CloudEvents in structured JSON only. What is accepted is durable. The same source and id again is a duplicate and ' +
      `changes nothing; plain JSON without an id is a new message each time. A batch holds at most ${maxBatchEvents} events, each of which is admitted or refused by itself.`,
  })
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/CloudEvent' } })
  @ApiResponse({
    status: 202,
    description: 'Admitted: a receipt, or for a batch one of each event.',
    content: {
      'application/json': {
        schema: {
          oneOf: [
            { $ref: '#/components/schemas/EventReceipt' },
            { $ref: '#/components/schemas/BatchReceipt' },
          ],
        },
      },
    },
  })
  @ApiResponse({
    status: 207,
    description: 'A batch of which some events were refused; the others are admitted.',
    content: jsonOf('BatchReceipt'),
  })
  async post(
    @Body() body: unknown,
    @Headers('content-type') contentType: string | undefined,
    @Caller() caller: ApiKeyIdentity,
    @Req() request: object,
    @Res({ passthrough: true }) response: ResponseWriter,
  ): Promise<EventReceipt | BatchReceipt> {
    switch (contentType?.split(';')[0]?.trim().toLowerCase()) {
      case plainMediaType:
        return await this.#intake.admit(body, caller, 'plain');
      case eventMediaType:
        return await this.#intake.admit(body, caller);
      case batchMediaType: {
        const receipt = await this.#admitBatch(batchOf(body), caller, requestIdOf(request));
        if (receipt.refused > 0) response.status(HttpStatus.MULTI_STATUS);
        return receipt;
      }
      default:
        throw new AppError(
          'MILLRACE_MEDIA_TYPE_UNSUPPORTED',
          `Messages are accepted as ${plainMediaType}, ${eventMediaType} or ${batchMediaType}.`,
        );
    }
  }

  /** Reads and admits one event after the other; they are written together, as they come. */
  async #admitBatch(
    batch: JsonBatch,
    caller: ApiKeyIdentity,
    requestId: string | undefined,
  ): Promise<BatchReceipt> {
    const turn = new EventLoopTurn(systemClock);
    const admitting: Promise<EventResult>[] = [];
    for (let index = 0; index < batch.length; index += 1) {
      const request = { path: `/v1/messages#${index}`, id: requestId };
      admitting.push(this.#admitOne(() => batch.read(index), caller, request));
      if (turn.isOver) await turn.giveWay();
    }
    const results = await Promise.all(admitting);
    const count = (outcome: EventResult['outcome']): number =>
      results.filter((result) => result.outcome === outcome).length;
    return {
      admitted: count('admitted'),
      duplicates: count('duplicate'),
      refused: count('refused'),
      results,
    };
  }

  async #admitOne(
    read: () => unknown,
    caller: ApiKeyIdentity,
    request: { readonly path: string; readonly id: string | undefined },
  ): Promise<EventResult> {
    try {
      return await this.#intake.admit(read(), caller);
    } catch (error) {
      return { outcome: 'refused', problem: this.#problems.describe(error, request).problem };
    }
  }
}

function batchOf(body: unknown): JsonBatch {
  if (body instanceof JsonBatch) return body;
  throw invalidRequest([{ field: 'body', problem: 'must be a JSON array of events' }]);
}
