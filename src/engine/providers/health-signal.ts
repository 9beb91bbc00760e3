/*
 * What a failed request says about its provider. The kinds are those that the metrics name.
 */

/** Every kind of failure of a request. */
export const failureKinds = [
  'rate_limited',
  'overloaded',
  'server_error',
  'timeout',
  'network',
  'stream_cut',
  'conflict',
  'bad_request',
  'content_policy',
  'context_too_long',
  'authentication',
  'not_found',
  'malformed_answer',
  'redirected',
  'answer_too_large',
  'stalled',
  'aborted',
  'failed',
] as const;

export type CallFailureKind = (typeof failureKinds)[number];

/** What the end of a request says about the provider: it answers, it fails, it is silent, or nothing at all. */
export type HealthSignal = 'success' | 'failure' | 'timeout' | 'none';

/** Reads the end of a request; `undefined` is a whole answer. A kind that nobody knows says nothing. */
export function healthSignalOf(failure: string | undefined): HealthSignal {
  if (failure === undefined) return 'success';
  return isFailureKind(failure) ? signOfKind(failure) : 'none';
}

function signOfKind(kind: CallFailureKind): HealthSignal {
  switch (kind) {
    case 'overloaded':
    case 'server_error':
    case 'network':
    case 'stream_cut':
      return 'failure';
    case 'timeout':
    case 'stalled':
      return 'timeout';
    // The provider works; it wants less, or something else.
    case 'rate_limited':
    case 'conflict':
    case 'bad_request':
    case 'content_policy':
    case 'context_too_long':
    case 'authentication':
    case 'not_found':
      return 'none';
    // It was ours, or belongs to this one question.
    case 'malformed_answer':
    case 'redirected':
    case 'answer_too_large':
    case 'aborted':
    case 'failed':
      return 'none';
  }
}

function isFailureKind(kind: string): kind is CallFailureKind {
  return (failureKinds as readonly string[]).includes(kind);
}
