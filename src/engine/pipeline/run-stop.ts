/** How far the runs of a host have come in stopping. */
export class RunStop {
  readonly #leaving = new AbortController();
  #hasBegun = false;

  /** From now on failures are the host's, not the messages': they are released, as is what has not begun. */
  begin(): void {
    this.#hasBegun = true;
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** From now on nobody waits for a handler whose signal was aborted. */
  leaveHandlers(): void {
    this.#leaving.abort();
  }

  /** Aborts when nobody waits for handlers any more. */
  get leaving(): AbortSignal {
    return this.#leaving.signal;
  }
}
