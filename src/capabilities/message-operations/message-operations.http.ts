import { messageCostSchema, MessageCosts } from './message-costs.ts';
import {
  messageDataSchema,
  messageListSchema,
  messageTreeSchema,
  steeredSchema,
} from './message-documents.ts';
import { MessageService } from './message-service.ts';
import { MessageOperationsController } from './message-operations.controller.ts';
import { steerRequestSchema } from './message-requests.ts';
import type { HttpPart } from '../http-part.ts';

/** The part of the HTTP API. */
export const httpPart: HttpPart = {
  controllers: [MessageOperationsController],
  services: [MessageService, MessageCosts],
  answers: {
    MessageCost: messageCostSchema,
    MessageList: messageListSchema,
    MessageTree: messageTreeSchema,
    MessageData: messageDataSchema,
    SteeredMessages: steeredSchema,
  },
  requests: { SteerRequest: steerRequestSchema },
};
