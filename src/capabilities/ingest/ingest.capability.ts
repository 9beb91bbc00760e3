import {
  batchMediaType,
  eventMediaType,
  maxBatchEvents,
  plainMediaType,
} from '../../http/message-media-types.ts';
import type { Capability } from '../capability.ts';
import { EventIntake, eventReceiptSchema } from './event-intake.ts';
import { cloudEventSchema, plainMessageSchema } from './message-schemas.ts';
import { batchReceiptSchema, MessagesController } from './messages.controller.ts';

/** Messages from outside, over HTTP. */
export const ingest: Capability<unknown> = {
  name: 'ingest',
  http: {
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
  },
  open: ({ engine: { admissions } }) => ({ services: [[EventIntake, new EventIntake(admissions)]] }),
};
