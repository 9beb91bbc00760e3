import {
  batchMediaType,
  eventMediaType,
  maxBatchEvents,
  plainMediaType,
} from '../../http/message-media-types.ts';
import { EventIntake, eventReceiptSchema } from './event-intake.ts';
import { cloudEventSchema, plainMessageSchema } from './message-schemas.ts';
import { batchReceiptSchema, MessagesController } from './messages.controller.ts';
import type { HttpPart } from '../http-part.ts';
import { protobufMediaType } from '../../http/streamed-bodies.ts';
import { TraceIntake } from './traces/trace-intake.ts';
import { TracesController, tracesReceiptSchema } from './traces/traces.controller.ts';
import { usageEventSchema } from './usage/usage-event.ts';
import { UsageIntake, usageReceiptSchema } from './usage/usage-intake.ts';
import { usageBatchReceiptSchema, UsageController } from './usage/usage.controller.ts';

/** The part of the HTTP API. */
export const httpPart: HttpPart = {
  controllers: [MessagesController, UsageController, TracesController],
  services: [EventIntake, UsageIntake, TraceIntake],
  answers: {
    EventReceipt: eventReceiptSchema,
    BatchReceipt: batchReceiptSchema,
    UsageReceipt: usageReceiptSchema,
    UsageBatchReceipt: usageBatchReceiptSchema,
    TracesReceipt: tracesReceiptSchema,
  },
  requests: { UsageEvent: usageEventSchema },
  schemas: { CloudEvent: cloudEventSchema, PlainMessage: plainMessageSchema },
  bodies: {
    recordTraces: {
      'application/json': { schema: { type: 'object', required: ['resourceSpans'] } },
      [protobufMediaType]: { schema: { type: 'string', format: 'binary' } },
    },
    recordUsage: {
      [eventMediaType]: { schema: { $ref: '#/components/schemas/UsageEvent' } },
      [batchMediaType]: {
        schema: {
          type: 'array',
          maxItems: maxBatchEvents,
          items: { $ref: '#/components/schemas/UsageEvent' },
        },
      },
    },
    admitMessages: {
      [plainMediaType]: { schema: { $ref: '#/components/schemas/PlainMessage' } },
      [eventMediaType]: { schema: { $ref: '#/components/schemas/CloudEvent' } },
      [batchMediaType]: {
        schema: {
          type: 'array',
          maxItems: maxBatchEvents,
          items: { $ref: '#/components/schemas/CloudEvent' },
        },
      },
    },
  },
};
