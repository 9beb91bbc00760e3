import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4GenerateResult,
} from '@ai-sdk/provider';
import { invariant } from '../../kernel/invariant.ts';
import type { ModelTarget } from './provider-registry.ts';

/*
 * The two halves of an exchange with a provider, apart in time: the request that a model would send, and what it makes of an
 * answer. Both are the model's own code, over a `fetch` that sends nothing, so that a request that waits for its turn and its
 * answer have the very form of those that are sent at once.
 */

/** A request as it would leave. */
export interface RenderedRequest {
  /** Of its address: "/v1/responses". */
  readonly path: string;
  /** By name in lower case, the account's own among them. */
  readonly headers: Readonly<Record<string, string>>;
  /** JSON. */
  readonly body: string;
}

/** An answer as it came. */
export interface ProviderAnswer {
  readonly statusCode: number;
  /** The provider's own text: JSON. */
  readonly body: string;
}

/** What the `fetch` that only looks throws; the model may wrap it. */
class NotSent extends Error {
  override readonly name = 'NotSent';
}

/**
 * The request that the model would send for these options; undefined where it is in this process, or sends something else than one
 * JSON text. Throws what the model throws about options that it cannot send.
 */
export async function renderRequest(
  { through }: ModelTarget<LanguageModelV4>,
  options: LanguageModelV4CallOptions,
): Promise<RenderedRequest | undefined> {
  if (through === undefined) return undefined;
  let seen: RenderedRequest | undefined;
  let hasMore = false;
  const look: typeof fetch = (input, init) => {
    hasMore ||= seen !== undefined;
    const { body, headers } = init ?? {};
    if (typeof body === 'string' && !hasMore) {
      const address = new URL(input instanceof Request ? input.url : input);
      seen = { path: address.pathname, headers: Object.fromEntries(new Headers(headers)), body };
    } else {
      hasMore = true;
    }
    return Promise.reject(new NotSent('The request is rendered, and not sent.'));
  };
  try {
    await through(look).doGenerate(options);
  } catch (error) {
    // Without a look at any request it is the model's own refusal.
    if (seen === undefined && !hasMore) throw error;
  }
  return hasMore ? undefined : seen;
}

/** What the model makes of an answer to a request with these options. Throws what it throws when the same comes at once. */
export async function resultOfProviderAnswer(
  { through }: ModelTarget<LanguageModelV4>,
  options: LanguageModelV4CallOptions,
  { statusCode, body }: ProviderAnswer,
): Promise<LanguageModelV4GenerateResult> {
  invariant(
    through !== undefined,
    'an answer that came apart from its request is that of a provider over HTTP',
  );
  const answer: typeof fetch = () =>
    Promise.resolve(
      new Response(body, { status: statusCode, headers: { 'content-type': 'application/json' } }),
    );
  return await through(answer).doGenerate(options);
}
