import type { Evidence, PauseEvidence, MessageEvidence } from './evidence.ts';
import { InvariantCheck, type InvariantResult } from './invariant-check.ts';

/**
 * I8: from the answer to a pause until it is lifted, nothing that it concerns is leased; no call is reserved of a paused model,
 * nor, when the pause aborts, for a held message. Times are those that the database gave.
 */
export function checkPauses({ pauses, messages, history, calls }: Evidence): InvariantResult {
  const check = new InvariantCheck('I8', 'pauses respected');
  const byId = new Map(messages.map((message) => [message.id, message]));
  const leases = history.filter(({ to_state: to, from_state: from }) => to === 'leased' && from !== 'leased');
  for (const pause of pauses) {
    const { scope, value, aborts, fromMs, toMs } = pause;
    const stands = (ms: number): boolean => ms > fromMs && ms < toMs;
    // Everything that was begun meanwhile is looked at, and the pause itself counts: it was placed and lifted.
    check.expect(fromMs < toMs, undefined, () => `the pause on ${scope} ${value} was lifted before it stood`);
    for (const { message_id: id, leased_ms: leasedMs } of leases) {
      const message = byId.get(id);
      if (message === undefined || leasedMs === null || !stands(leasedMs)) continue;
      check.expect(
        !isPaused(pause, message),
        id,
        () => `it was claimed ${Math.round(leasedMs - fromMs)} ms after the pause on ${scope} ${value} stood`,
      );
    }
    for (const { id, message_id: messageId, provider, model, reserved_ms: reservedMs } of calls) {
      if (!stands(reservedMs)) continue;
      const message = byId.get(messageId ?? '');
      const isStopped =
        (scope === 'model' && value === `${provider}/${model}`) ||
        (aborts && message !== undefined && isPaused(pause, message));
      check.expect(
        !isStopped,
        messageId ?? undefined,
        () =>
          `call ${id} was reserved ${Math.round(reservedMs - fromMs)} ms after the pause on ${scope} ${value} stood`,
      );
    }
  }
  return check.result;
}

function isPaused({ scope, value }: PauseEvidence, { stage, customer }: MessageEvidence): boolean {
  return (scope === 'stage' && value === stage) || (scope === 'customer' && value === customer);
}
