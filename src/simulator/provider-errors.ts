import type { SimulatedProvider } from './simulator-prices.ts';

/** A provider's refusal, as it stands in the body of its answer. */
export interface Refusal {
  readonly status: number;
  readonly type: string;
  readonly message: string;
  /** OpenAI only. */
  readonly code?: string;
  /** OpenAI only. */
  readonly param?: string;
  readonly retryAfterMs?: number | undefined;
}

/** Every refusal that the simulator knows, in the words of the provider. */
export interface Refusals {
  invalidRequest(message: string, param?: string): Refusal;
  unauthorised(): Refusal;
  notFound(path: string): Refusal;
  unknownModel(model: string): Refusal;
  tooLarge(): Refusal;
  contentPolicy(): Refusal;
  contextTooLong(inputTokens: number, contextTokens: number): Refusal;
  rateLimited(model: string, what: 'requests' | 'tokens', limit: number, retryAfterMs: number): Refusal;
  serverError(): Refusal;
  overloaded(): Refusal;
}

const openaiInvalid = 'invalid_request_error';

const openai: Refusals = {
  invalidRequest: (message, param) => ({
    status: 400,
    type: openaiInvalid,
    message,
    ...(param !== undefined && { param }),
  }),
  unauthorised: () => ({
    status: 401,
    type: openaiInvalid,
    code: 'invalid_api_key',
    message:
      'Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys.',
  }),
  notFound: (path) => ({ status: 404, type: openaiInvalid, message: `Invalid URL (${path})` }),
  unknownModel: (model) => ({
    status: 404,
    type: openaiInvalid,
    code: 'model_not_found',
    message: `The model \`${model}\` does not exist or you do not have access to it.`,
  }),
  tooLarge: () => ({ status: 413, type: openaiInvalid, message: 'Request body is too large.' }),
  contentPolicy: () => ({
    status: 400,
    type: openaiInvalid,
    code: 'content_policy_violation',
    message:
      'Your request was rejected as a result of our safety system. Your request may contain content that is not allowed by our safety system.',
  }),
  contextTooLong: (inputTokens, contextTokens) => ({
    status: 400,
    type: openaiInvalid,
    code: 'context_length_exceeded',
    param: 'messages',
    message: `This model's maximum context length is ${contextTokens} tokens. However, your messages resulted in ${inputTokens} tokens. Please reduce the length of the messages.`,
  }),
  rateLimited: (model, what, limit, retryAfterMs) => ({
    status: 429,
    type: what,
    code: 'rate_limit_exceeded',
    message: `Rate limit reached for ${model} on ${what} per min: Limit ${limit}. Please try again in ${retryAfterMs}ms.`,
    retryAfterMs,
  }),
  serverError: () => ({
    status: 500,
    type: 'server_error',
    message: 'The server had an error while processing your request. Sorry about that!',
  }),
  overloaded: () => ({
    status: 503,
    type: 'server_error',
    message: 'That model is currently overloaded with other requests. You can retry your request.',
  }),
};

const anthropic: Refusals = {
  invalidRequest: (message) => ({ status: 400, type: 'invalid_request_error', message }),
  unauthorised: () => ({ status: 401, type: 'authentication_error', message: 'invalid x-api-key' }),
  notFound: () => ({ status: 404, type: 'not_found_error', message: 'Not Found' }),
  unknownModel: (model) => ({ status: 404, type: 'not_found_error', message: `model: ${model}` }),
  tooLarge: () => ({ status: 413, type: 'request_too_large', message: 'Request exceeds the maximum size' }),
  contentPolicy: () => ({
    status: 400,
    type: 'invalid_request_error',
    message: 'Output blocked by content filtering policy',
  }),
  contextTooLong: (inputTokens, contextTokens) => ({
    status: 400,
    type: 'invalid_request_error',
    message: `prompt is too long: ${inputTokens} tokens > ${contextTokens} maximum`,
  }),
  rateLimited: (_model, what, limit, retryAfterMs) => ({
    status: 429,
    type: 'rate_limit_error',
    message: `This request would exceed your organization's rate limit of ${limit} ${what} per minute.`,
    retryAfterMs,
  }),
  serverError: () => ({ status: 500, type: 'api_error', message: 'Internal server error' }),
  overloaded: () => ({ status: 529, type: 'overloaded_error', message: 'Overloaded' }),
};

export const refusalsOf: Readonly<Record<SimulatedProvider, Refusals>> = { openai, anthropic };

/** The refusal's body in its provider's true shape. */
export function refusalBody(provider: SimulatedProvider, refusal: Refusal, requestId: string): unknown {
  if (provider === 'anthropic') {
    return { type: 'error', error: { type: refusal.type, message: refusal.message }, request_id: requestId };
  }
  return {
    error: {
      message: refusal.message,
      type: refusal.type,
      param: refusal.param ?? null,
      code: refusal.code ?? null,
    },
  };
}

/** Headers that tell the client when to come back. */
export function retryHeaders(provider: SimulatedProvider, refusal: Refusal): Record<string, string> {
  if (refusal.retryAfterMs === undefined) return {};
  const retryAfter = String(Math.max(1, Math.ceil(refusal.retryAfterMs / 1000)));
  if (provider === 'anthropic') return { 'retry-after': retryAfter, 'x-should-retry': 'true' };
  return { 'retry-after': retryAfter, 'retry-after-ms': String(Math.ceil(refusal.retryAfterMs)) };
}
