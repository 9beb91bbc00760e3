import { messageAccountSchema, MessageAccounts } from './message-accounts.ts';
import {
  messageDataSchema,
  messageListSchema,
  messageTreeSchema,
  steeredSchema,
} from './message-documents.ts';
import { MessageOffice } from './message-office.ts';
import { MessageOperationsController } from './message-operations.controller.ts';
import { steerRequestSchema } from './message-requests.ts';
import type { HttpPart } from '../http-part.ts';

/** The part of the HTTP API. */
export const httpPart: HttpPart = {
  controllers: [MessageOperationsController],
  services: [MessageOffice, MessageAccounts],
  answers: {
    MessageAccount: messageAccountSchema,
    MessageList: messageListSchema,
    MessageTree: messageTreeSchema,
    MessageData: messageDataSchema,
    SteeredMessages: steeredSchema,
  },
  requests: { SteerRequest: steerRequestSchema },
};
