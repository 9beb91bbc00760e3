import type { GivenAnswer } from './call-opener.ts';

/** How many of a run's latest answers can still be rejected. */
const maxRemembered = 256;

/** The answers that a handler was given in this run, so that the one that is of no use can be told. */
export class GivenAnswers {
  readonly #answers: GivenAnswer[] = [];

  add(answer: GivenAnswer): void {
    this.#answers.push(answer);
    if (this.#answers.length > maxRemembered) this.#answers.shift();
  }

  get isEmpty(): boolean {
    return this.#answers.length === 0;
  }

  /**
   * Takes out the answer that a complaint is about: the latest of the step that it names; else the latest with the
   * text that it quotes; else the latest of all.
   */
  take({ step, text }: Complaint): GivenAnswer | undefined {
    const find = (isMeant: (answer: GivenAnswer) => boolean): number => this.#answers.findLastIndex(isMeant);
    let index = -1;
    if (step !== undefined) index = find((answer) => answer.step === step);
    else if (text !== undefined) index = find((answer) => answer.text() === text);
    if (index === -1 && step === undefined) index = this.#answers.length - 1;
    return index === -1 ? undefined : this.#answers.splice(index, 1)[0];
  }
}

/** What is known about the answer that is of no use. */
export interface Complaint {
  readonly step?: string | undefined;
  /** What the complaint quotes of it. */
  readonly text?: string | undefined;
}
