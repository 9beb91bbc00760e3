/*
 * Why a pending message is not worked on: a declared reason for which it was put aside (`circuit` is a circuit); `retry`, its
 * last attempt failed and the pause before the next is not over; `retry_after`, the same where the provider said how long to
 * wait; `order`, an earlier message of its key goes first; `replay`, it was replayed at a rate; `worker`, it is due, and a
 * worker of its stage is to be free.
 */

const maxNameLength = 200;

/** How the ledger notes what a message waits for: the reason, and what it is about ("rate_limit:openai/gpt-5-mini"). */
export function waitName(reason: string, about: string | undefined): string {
  if (about === undefined) return reason;
  // Cut first: a cut may halve an emoji.
  return `${reason}:${about}`.slice(0, maxNameLength).toWellFormed().replaceAll('\u0000', '\uFFFD');
}

/** The two parts of such a name. */
export function partsOfWaitName(name: string): {
  readonly reason: string;
  readonly about: string | undefined;
} {
  const colon = name.indexOf(':');
  if (colon === -1) return { reason: name, about: undefined };
  return { reason: name.slice(0, colon), about: name.slice(colon + 1) };
}
