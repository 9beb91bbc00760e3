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

/** The part of the HTTP API. */
export const httpPart: HttpPart = {
  controllers: [MessagesController],
  services: [EventIntake],
  answers: { EventReceipt: eventReceiptSchema, BatchReceipt: batchReceiptSchema },
  schemas: { CloudEvent: cloudEventSchema, PlainMessage: plainMessageSchema },
  bodies: {
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
