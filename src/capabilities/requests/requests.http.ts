import type { HttpPart } from '../http-part.ts';
import { submitRequestSchema } from './intake/submit-requests.ts';
import { urlTokensToken } from '../../http/url-tokens.ts';
import { OpenStreams } from './events/open-streams.ts';
import { RequestEventsController } from './events/request-events.controller.ts';
import { RequestStreams } from './events/request-streams.ts';
import { streamTokenSchema } from './events/stream-token-document.ts';
import { StreamTokens } from './events/stream-tokens.ts';
import { PipelineRequestsController } from './pipeline-requests.controller.ts';

import { RequestService } from './request-service.ts';
import { RequestsController } from './requests.controller.ts';
import { cancelRequestSchema } from './state/list-requests.ts';
import { requestListSchema, requestSchema } from './state/request-document.ts';
import { ResultRoom } from './state/result-room.ts';
import { maxWaitToken } from './wait-preference.ts';

/** The part of the HTTP API. */
export const httpPart: HttpPart = {
  controllers: [PipelineRequestsController, RequestsController, RequestEventsController],
  services: [RequestService, ResultRoom, maxWaitToken, RequestStreams, OpenStreams, StreamTokens],
  providers: [{ provide: urlTokensToken, useExisting: StreamTokens }],
  answers: { Request: requestSchema, RequestList: requestListSchema, StreamToken: streamTokenSchema },
  requests: { SubmitRequest: submitRequestSchema, CancelRequest: cancelRequestSchema },
};
