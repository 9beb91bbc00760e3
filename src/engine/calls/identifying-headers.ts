import type { CallQuestion } from './call-opener.ts';
import type { OwningMessage } from './call-maker.ts';

/** What a provider of one's own is sent about a call besides the request; undefined for all others. */
export function identifyingHeaders(
  { target, step }: CallQuestion,
  callId: string,
  attempt: number,
  message: OwningMessage | undefined,
): Readonly<Record<string, string>> | undefined {
  if (!target.identify) return undefined;
  return {
    'x-millrace-call-id': callId,
    // Header values are Latin-1 at most; a step may be any text.
    'x-millrace-step': encodeURIComponent(step),
    'x-millrace-attempt': String(attempt),
    ...(message === undefined ? {} : { 'x-millrace-message-id': message.id }),
  };
}
