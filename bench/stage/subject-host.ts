import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Answers, Order, Reply } from './orders.ts';

/** How long the processes may go without taking up a job before the measurement fails. */
const stallMs = 120_000;

/** A process of a subject, as the bench sees it. */
export class SubjectHost {
  readonly #child: ChildProcess;
  #handled = 0;
  #onHandled: (() => void) | undefined;
  #ended: Error | undefined;
  #waiting: PromiseWithResolvers<unknown> | undefined;

  constructor() {
    const program = join(import.meta.dirname, 'subject-process.ts');
    this.#child = fork(program, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#child.on('message', (reply: Reply) => this.#take(reply));
    this.#child.once('exit', (code, signal) => {
      this.#ended = new Error(`a process of a subject ended with ${String(code ?? signal)}`);
      this.#waiting?.reject(this.#ended);
      this.#waiting = undefined;
      this.#onHandled?.();
    });
  }

  /** Gives an order, one at a time; rejects with what went wrong, or when the process ends. */
  async ask<Kind extends Order['kind']>(order: Order & { readonly kind: Kind }): Promise<Answers[Kind]> {
    if (this.#ended !== undefined) throw this.#ended;
    if (this.#waiting !== undefined) throw new Error('one order at a time');
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting = waiting;
    if (order.kind === 'open') this.#handled = 0;
    this.#child.send(order);
    return (await waiting.promise) as Answers[Kind];
  }

  /** Ends it when it has closed what it had open. */
  async end(): Promise<void> {
    if (this.#ended !== undefined) return;
    const exited = once(this.#child, 'exit');
    this.#child.disconnect();
    await exited;
  }

  /** Resolves when all of them together have taken up as many jobs. */
  static async untilHandled(hosts: readonly SubjectHost[], count: number): Promise<void> {
    let before = -1;
    for (;;) {
      for (const host of hosts) if (host.#ended !== undefined) throw host.#ended;
      const total = hosts.reduce((sum, host) => sum + host.#handled, 0);
      if (total >= count) return;
      if (total === before)
        throw new Error(`${total} of ${count} jobs were taken up, and no more for ${stallMs} ms`);
      before = total;
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, stallMs);
      for (const host of hosts) host.#onHandled = resolve;
      await promise;
      clearTimeout(timer);
    }
  }

  #take(reply: Reply): void {
    if (reply.kind === 'handled') {
      this.#handled = reply.total;
      this.#onHandled?.();
      return;
    }
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (reply.kind === 'done') waiting?.resolve(reply.value);
    else waiting?.reject(new Error(reply.message));
  }
}
