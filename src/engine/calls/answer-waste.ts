import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { renderUsageLine } from '../export/usage-record.ts';
import type { UnusedAnswer, UnusedAnswers } from '../ledger/unused-answers.ts';
import { recordsOfInvalidation } from './usage-record-of-call.ts';

/** How many answers one statement makes waste of. */
const sliceSize = 500;
/** Calls can change while they are read: they are priced anew, or corrected. */
const maxConflicts = 5;

/** Makes waste of good answers on which no work rests, because the same was asked for once more. Each becomes waste once, whoever repeats it. */
export class AnswerWaste {
  readonly #ledger: UnusedAnswers;
  readonly #clock: Clock;

  constructor(ledger: UnusedAnswers, clock: Clock) {
    this.#ledger = ledger;
    this.#clock = clock;
  }

  /** The answers of these calls. */
  async ofCalls(ids: readonly Uuid[]): Promise<void> {
    for (let from = 0; from < ids.length; from += sliceSize) {
      const slice = ids.slice(from, from + sliceSize);
      await this.#wasteAll(() => this.#ledger.find(slice));
    }
  }

  /** All answers of these messages and of what followed from them, which were cancelled and are run anew under other ids. */
  async ofTrees(rootIds: readonly Uuid[]): Promise<void> {
    if (rootIds.length === 0) return;
    await this.#wasteAll(() => this.#ledger.findOfTrees(rootIds, sliceSize));
  }

  async #wasteAll(find: () => Promise<readonly UnusedAnswer[]>): Promise<void> {
    for (let conflicts = 0; conflicts < maxConflicts;) {
      const calls = await find();
      if (calls.length === 0) return;
      const now = this.#clock.now();
      const wasted = calls.map((call) => {
        const [back, waste] = recordsOfInvalidation(call, call, now, 'retried');
        return { call, lines: [renderUsageLine(back), renderUsageLine(waste)] as const };
      });
      if ((await this.#ledger.waste(wasted, 'retried')) === 0) conflicts += 1;
    }
    throw new AppError('MILLRACE_DATABASE_CONFLICT', 'Calls changed each time that they were read.');
  }
}
