import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Origin } from '../../messages/origin.ts';
import type { AdmissionRefusal } from '../../engine/pipeline/admissions.ts';
import { amountText } from './amount-text.ts';
import type { BudgetBook } from './budget-book.ts';
import type { BudgetUnit } from './budget-definition.ts';
import { type BudgetFigures, isExhausted } from './budget-room.ts';
import { budgetErrors } from './budget-errors.ts';

/** A budget with its present window. */
export interface BudgetWindowState extends BudgetFigures {
  readonly name: string;
  readonly unit: BudgetUnit;
  readonly endsInMs: number;
}

export interface BudgetAdmissionOptions {
  readonly book: BudgetBook;
  readonly read: () => Promise<readonly BudgetWindowState[]>;
  readonly clock: Clock;
  /** Called for every message that is refused, and because of which budget. */
  readonly onRefused: (budget: string) => void;
}

/** How old figures may be. New messages are only kept out early here; that no budget is exceeded is held at the calls. */
const maxAgeMs = 250;

/** Keeps new messages out whose budget is used up, where the budget says so. */
export class BudgetAdmission {
  readonly #options: BudgetAdmissionOptions;
  #figures: { readonly atMs: number; readonly states: Promise<readonly BudgetWindowState[]> } | undefined;

  constructor(options: BudgetAdmissionOptions) {
    this.#options = options;
  }

  /** Answers MILLRACE_BUDGET_EXHAUSTED when a budget that refuses has nothing left for this origin, in one of these pipelines. */
  async check(origin: Origin, pipelines: readonly string[]): Promise<AdmissionRefusal | undefined> {
    const refusing = pipelines.flatMap((pipeline) =>
      this.#options.book
        .concerning({ origin, pipeline, model: undefined })
        .filter(({ atLimit }) => atLimit === 'refuse'),
    );
    if (refusing.length === 0) return undefined;
    const states = await this.#read();
    for (const { name } of refusing) {
      const state = states.find((one) => one.name === name);
      if (state === undefined || !isExhausted(state)) continue;
      const error = new AppError(
        budgetErrors.MILLRACE_BUDGET_EXHAUSTED,
        `The budget "${name}" of ${amountText(state.limit, state.unit)} is used up until its window turns.`,
        { retryAfterMs: state.endsInMs },
      );
      return { error, count: () => this.#options.onRefused(name) };
    }
    return undefined;
  }

  #read(): Promise<readonly BudgetWindowState[]> {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#figures === undefined || nowMs - this.#figures.atMs > maxAgeMs) {
      const states = this.#options.read();
      this.#figures = { atMs: nowMs, states };
      // A failure is not kept: the next message looks again.
      states.catch(() => {
        if (this.#figures?.states === states) this.#figures = undefined;
      });
    }
    return this.#figures.states;
  }
}
