import { EventEmitter } from 'node:events';
import { ServerResponse } from 'node:http';

/**
 * Does the work once: when the answer is sent, or its connection is gone, or when what this answers is called before that. The answer is
 * Node's, or one of a platform's that has it as `raw`; of what is neither nothing is known, and the work is only done by the call.
 */
export function whenAnswered(answer: object, work: () => void): () => void {
  let isDone = false;
  const once = (): void => {
    if (isDone) return;
    isDone = true;
    work();
  };
  const raw: unknown = 'raw' in answer ? answer.raw : answer;
  if (!(raw instanceof EventEmitter)) return once;
  // Its connection has ended while it waited.
  if ('destroyed' in raw && raw.destroyed === true) {
    once();
    return once;
  }
  raw.once('finish', once);
  raw.once('close', once);
  return once;
}

/** Ends the connection of an answer of which its other end takes nothing for so long, in milliseconds: it holds on to what it is sent. */
export function dropUnread(answer: object, stallMs: number): void {
  const raw: unknown = 'raw' in answer ? answer.raw : answer;
  if (!(raw instanceof ServerResponse)) return;
  raw.setTimeout(stallMs, () => raw.destroy());
}
