import type { RequestEvent } from './request-event.ts';

/** The text that a request has published so far, put together from its events. */
export class RequestText {
  readonly #stage: string | undefined;
  /** By message, the text of each of its answers. */
  readonly #messages = new Map<string, Map<number, string>>();
  #isComplete = true;

  /** With a stage, the text of that one only. */
  constructor(options: { readonly stage?: string | undefined } = {}) {
    this.#stage = options.stage;
  }

  /** Takes the next event of the stream. */
  take(event: RequestEvent): void {
    switch (event.kind) {
      case 'attempt-restarted':
        this.#messages.delete(event.message);
        return;
      case 'events-lost':
        this.#isComplete = false;
        return;
      case 'text-delta': {
        if (this.#stage !== undefined && event.stage !== this.#stage) return;
        const answers = this.#messages.get(event.message) ?? new Map<number, string>();
        this.#messages.set(event.message, answers);
        answers.set(event.answer, (answers.get(event.answer) ?? '') + event.text);
        return;
      }
      default:
    }
  }

  /** All text that counts, answer by answer. */
  get text(): string {
    return [...this.#messages.values()].flatMap((answers) => [...answers.values()]).join('');
  }

  /** Whether nothing of it is known to be lost. */
  get isComplete(): boolean {
    return this.#isComplete;
  }
}
