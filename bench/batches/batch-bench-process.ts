import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Answers, MemoryPeriod, Order, Reply } from './orders.ts';

/** A process of the bench of batches, as the bench sees it. */
export class BatchBenchProcess {
  readonly #child: ChildProcess;
  readonly #onMemory: (period: MemoryPeriod) => void;
  #ended: Error | undefined;
  #waiting: PromiseWithResolvers<unknown> | undefined;

  constructor(onMemory: (period: MemoryPeriod) => void) {
    this.#onMemory = onMemory;
    const program = join(import.meta.dirname, 'batch-process.ts');
    this.#child = fork(program, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#child.on('message', (reply: Reply) => this.#take(reply));
    this.#child.once('exit', (code, signal) => {
      this.#ended = new Error(`a process of the bench ended with ${String(code ?? signal)}`);
      this.#waiting?.reject(this.#ended);
    });
  }

  /** Gives an order, one at a time; rejects with what went wrong, or when the process ends. */
  async ask<Kind extends Order['kind']>(order: Order & { readonly kind: Kind }): Promise<Answers[Kind]> {
    if (this.#ended !== undefined) throw this.#ended;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting = waiting;
    this.#child.send(order);
    return (await waiting.promise) as Answers[Kind];
  }

  async end(): Promise<void> {
    if (this.#ended !== undefined) return;
    const exited = once(this.#child, 'exit');
    this.#child.disconnect();
    await exited;
  }

  #take(reply: Reply): void {
    if (reply.kind === 'memory') this.#onMemory(reply.period);
    else if (reply.kind === 'done') this.#waiting?.resolve(reply.value);
    else this.#waiting?.reject(new Error(reply.message));
  }
}
