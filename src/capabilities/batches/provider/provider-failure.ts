/*
 * What an error of a provider's SDK says about a request that changes something there.
 */

/** The provider of a batch is not one of the configuration: nothing is asked of it until it is. */
export class NotConfiguredError extends Error {
  override readonly name = 'NotConfiguredError';
}

export interface ProviderFailure {
  readonly kind:
    /** It was not accepted, and will not be. */
    | 'refused'
    /** It was not accepted this time: too many requests, or a key that is not let in. */
    | 'not-now'
    /** It may have been accepted. */
    | 'unclear';
  readonly code: string;
  readonly message: string;
}

const maxMessageLength = 500;

/** What the error means. Whatever is not understood is unclear. */
export function failureOf(error: unknown): ProviderFailure {
  if (error instanceof NotConfiguredError) {
    return { kind: 'not-now', code: 'not_configured', message: error.message };
  }
  const status = statusOf(error);
  const code = status === undefined ? 'no_answer' : `http_${status}`;
  const text = error instanceof Error ? error.message : String(error);
  const message = text.replaceAll('\u0000', '').slice(0, maxMessageLength).toWellFormed();
  if (status === undefined || status >= 500 || status < 400 || status === 408) {
    return { kind: 'unclear', code, message };
  }
  const isPassing = [401, 402, 403, 409, 425, 429].includes(status);
  return { kind: isPassing ? 'not-now' : 'refused', code, message };
}

/** Whether the provider says that there is no such thing. */
function isNotFound(error: unknown): boolean {
  const status = statusOf(error);
  return status === 404 || status === 410;
}

/** Whether the provider refuses to cancel a batch because of what has become of it. */
export function isBeyondCancelling(error: unknown): boolean {
  return [400, 404, 409, 410, 422].includes(statusOf(error) ?? 0);
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('status' in error)) return undefined;
  return typeof error.status === 'number' ? error.status : undefined;
}

/** What a request answered; undefined where the provider has not what it was about. */
export async function unlessGone<Answer>(asked: PromiseLike<Answer>): Promise<Answer | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
