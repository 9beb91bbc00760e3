import type { ErrorCodeEntry } from './error-code-entry.ts';

/** What can go wrong between a stage and a model. */
export const modelErrorCodes = {
  MILLRACE_MODEL_UNKNOWN: {
    status: 500,
    retryable: false,
    what: 'The model reference does not name a configured provider.',
    todo: 'Write it as provider/model. Set OPENAI_API_KEY or ANTHROPIC_API_KEY, or configure the provider under models.providers; "millrace check --stages" looks before a start.',
  },
  MILLRACE_MODEL_RATE_LIMITED: {
    status: 429,
    retryable: true,
    what: 'The model provider refused the request because too many were sent, or because its quota is used up.',
    todo: 'Nothing: it is tried again when the provider allows. If it lasts, raise the limits at the provider.',
  },
  MILLRACE_MODEL_OVERLOADED: {
    status: 503,
    retryable: true,
    what: 'The model provider has no capacity at the moment.',
    todo: 'Nothing: it is tried again. If it lasts, use another model or service tier.',
  },
  MILLRACE_MODEL_SERVER_ERROR: {
    status: 502,
    retryable: true,
    what: 'The model provider failed while it worked on the request.',
    todo: "Nothing: it is tried again. If it lasts, look at the provider's status page.",
  },
  MILLRACE_MODEL_TIMEOUT: {
    status: 504,
    retryable: true,
    what: 'The model provider did not answer in time; the call may have been billed and is kept as unsettled.',
    todo: 'Raise timeoutMs of the provider if its answers take that long.',
  },
  MILLRACE_MODEL_NETWORK: {
    status: 502,
    retryable: true,
    what: 'The connection to the model provider could not be made, or broke before the answer was complete.',
    todo: 'Check the network and the base URL of the provider; the call is tried again.',
  },
  MILLRACE_MODEL_CONFLICT: {
    status: 502,
    retryable: true,
    what: 'The model provider refused the request because of another one in progress.',
    todo: 'Nothing: it is tried again.',
  },
  MILLRACE_MODEL_BAD_REQUEST: {
    status: 422,
    retryable: false,
    what: 'The model provider, or the client of it, did not accept the request.',
    todo: 'Correct the request as the message says; the same request will be refused again.',
  },
  MILLRACE_MODEL_CONTENT_POLICY: {
    status: 422,
    retryable: false,
    what: "The request or its answer was refused by the model provider's content policy.",
    todo: 'Change the input, or take the item out of the pipeline.',
  },
  MILLRACE_MODEL_CONTEXT_TOO_LONG: {
    status: 422,
    retryable: false,
    what: 'The request is longer than the model can take.',
    todo: 'Shorten or split the input, or use a model with a larger context.',
  },
  MILLRACE_MODEL_AUTHENTICATION: {
    status: 502,
    retryable: false,
    what: 'The model provider did not accept the key, or the key may not use this model.',
    todo: 'Correct apiKey of the provider, or its rights and billing at the provider.',
  },
  MILLRACE_MODEL_NOT_FOUND: {
    status: 502,
    retryable: false,
    what: 'The model provider does not know the model or the address.',
    todo: 'Check the model name and the base URL of the provider.',
  },
  MILLRACE_MODEL_MALFORMED_ANSWER: {
    status: 502,
    retryable: true,
    what: 'The model provider answered with something that cannot be read; the call may have been billed.',
    todo: 'Nothing: it is tried again. If it lasts, check the kind and the base URL of the provider.',
  },
  MILLRACE_MODEL_REDIRECTED: {
    status: 502,
    retryable: false,
    what: 'The model provider answered with a redirect, which is never followed: the key and the prompt would go elsewhere.',
    todo: 'Set the base URL of the provider to the address that answers without a redirect.',
  },
  MILLRACE_MODEL_ANSWER_TOO_LARGE: {
    status: 502,
    retryable: false,
    what: 'The answer of the model provider, decompressed, was larger than an answer may be; the call may have been billed.',
    todo: 'Ask for less, or raise maxAnswerBytes of the provider if its answers are that large.',
  },
  MILLRACE_MODEL_STALLED: {
    status: 504,
    retryable: true,
    what: 'The answer of the model provider had begun and then was silent for too long; the call may have been billed.',
    todo: 'Nothing: it is tried again. If it lasts, raise idleTimeoutMs of the provider.',
  },
  MILLRACE_MODEL_ABORTED: {
    status: 503,
    retryable: true,
    what: 'The request was aborted before its answer was complete; what it may have cost is recorded.',
    todo: 'Nothing: the work was stopped on purpose and is taken up again where it should be.',
  },
  MILLRACE_MODEL_FAILED: {
    status: 502,
    retryable: true,
    what: 'The request to the model failed in a way that is not known.',
    todo: 'Read the cause in the log.',
  },
  MILLRACE_OUTPUT_INVALID: {
    status: 502,
    retryable: true,
    what: "A model's answer cannot be used: it is empty, cut off, or not what the stage needs. It is paid for and counted as waste.",
    todo: "Nothing: the request is repeated, within the stage's invalidOutput.maxAttempts. If it lasts, look at prompt, schema and maxOutputTokens.",
  },
} as const satisfies Record<string, ErrorCodeEntry>;
