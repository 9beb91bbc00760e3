import type { SimulatedProvider } from '../simulator-prices.ts';

/*
 * The lines of results, in the words of each provider.
 */

/** What became of one item. */
export type ItemOutcome =
  | {
      readonly kind: 'succeeded';
      readonly requestId: string;
      /** The answer as JSON text, which need not be what was counted. */
      readonly bodyText: string;
      readonly inputTokens: number;
      readonly outputTokens: number;
    }
  | { readonly kind: 'failed'; readonly status: number; readonly requestId: string; readonly body: unknown }
  /** "Completed" with HTTP status 0 and no body. OpenAI only. */
  | { readonly kind: 'zero'; readonly requestId: string }
  | { readonly kind: 'expired' | 'cancelled' };

/** The item's line, and whether it stands in OpenAI's file of errors. */
export function resultLine(
  provider: SimulatedProvider,
  customId: string,
  outcome: ItemOutcome,
): { line: string; isError: boolean } {
  return provider === 'openai' ? openaiLine(customId, outcome) : anthropicLine(customId, outcome);
}

function openaiLine(customId: string, outcome: ItemOutcome): { line: string; isError: boolean } {
  const head = { id: `batch_req_${customId}`, custom_id: customId };
  switch (outcome.kind) {
    case 'succeeded': {
      const start = JSON.stringify({ status_code: 200, request_id: outcome.requestId }).slice(0, -1);
      const response = `${start},"body":${outcome.bodyText}}`;
      const line = `${JSON.stringify(head).slice(0, -1)},"response":${response},"error":null}`;
      return { line, isError: false };
    }
    case 'failed': {
      const response = { status_code: outcome.status, request_id: outcome.requestId, body: outcome.body };
      return { line: JSON.stringify({ ...head, response, error: null }), isError: true };
    }
    case 'zero': {
      const response = { status_code: 0, request_id: outcome.requestId, body: '' };
      return { line: JSON.stringify({ ...head, response, error: null }), isError: false };
    }
    case 'expired':
    case 'cancelled': {
      const error = {
        code: `batch_${outcome.kind}`,
        message:
          outcome.kind === 'expired'
            ? 'This request could not be executed before the completion window expired.'
            : 'This request was not executed because the batch was cancelled.',
      };
      return { line: JSON.stringify({ ...head, response: null, error }), isError: true };
    }
  }
}

function anthropicLine(customId: string, outcome: ItemOutcome): { line: string; isError: boolean } {
  const line = (result: unknown): { line: string; isError: boolean } => ({
    line: JSON.stringify({ custom_id: customId, result }),
    isError: false,
  });
  switch (outcome.kind) {
    case 'succeeded':
      return {
        line: `{"custom_id":${JSON.stringify(customId)},"result":{"type":"succeeded","message":${outcome.bodyText}}}`,
        isError: false,
      };
    case 'failed':
      return line({ type: 'errored', error: outcome.body });
    case 'zero':
      return line({ type: 'errored', error: null });
    case 'expired':
      return line({ type: 'expired' });
    case 'cancelled':
      return line({ type: 'canceled' });
  }
}
