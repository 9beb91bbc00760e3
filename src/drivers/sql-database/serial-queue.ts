/** Gives turns: each work begins when all that came before it have settled. */
export class SerialQueue {
  #last: Promise<void> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = settled(result);
    return result;
  }

  /** Resolves when every turn that was asked for has ended. */
  ended(): Promise<void> {
    return this.#last;
  }
}

/** Resolves when the promise has settled either way: its outcome goes to whoever awaits it. */
async function settled(promise: Promise<unknown>): Promise<void> {
  await Promise.allSettled([promise]);
}
