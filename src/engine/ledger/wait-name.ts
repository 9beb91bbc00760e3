import type { ParkReason } from '../parked.ts';

/** Why a pending message is not worked on. */
export type WaitReason =
  /** What a message is put aside or off for; `breaker` is a circuit. */
  | ParkReason
  /** Its last attempt failed, and the pause before the next is not over. */
  | 'retry'
  /** The same, where the provider said how long to wait. */
  | 'retry_after'
  /** An earlier message of its key goes first. */
  | 'order'
  /** It was replayed at a rate. */
  | 'replay'
  /** It is due: a worker of its stage is to be free. */
  | 'worker';

const maxNameLength = 200;

/** How the ledger notes what a message waits for: the reason, and what it is about ("rate_limit:openai/gpt-5-mini"). */
export function waitName(reason: WaitReason, about: string | undefined): string {
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
