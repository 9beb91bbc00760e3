/*
 * The client library: what callers of Millrace import from 'millrace/client', on servers and in browsers. It needs `fetch` and
 * nothing of the rest of the package.
 */
export type { ClientClock } from './client/client-clock.ts';
export {
  type ClientErrorCode,
  type ClientErrorParts,
  type ClientProblem,
  MillraceClientError,
} from './client/client-error.ts';
export type {
  ListQuery,
  MillraceClientOptions,
  RequestReference,
  ResultOptions,
  StreamOptions,
  SubmitOptions,
  UiMessageStreamOptions,
} from './client/client-options.ts';
export { MillraceClient } from './client/millrace-client.ts';
export {
  type CompletedRequest,
  type EndedRequest,
  hasEnded,
  type MillraceRequest,
  type OpenRequest,
  type RequestCost,
  type RequestFailure,
  type RequestOrigin,
  type RequestPage,
  type RequestSummary,
  type StreamToken,
  type UnsuccessfulRequest,
} from './client/request-document.ts';
export type { RequestEvent, RequestEventBody } from './client/request-event.ts';
export { RequestText } from './client/request-text.ts';
export type { RetryLimits } from './client/retry-policy.ts';
export type { ResultSchema } from './client/standard-schema.ts';
export {
  type VerifiedWebhook,
  verifyWebhook,
  type VerifyWebhookOptions,
  type WebhookHeaders,
} from './client/verify-webhook.ts';
