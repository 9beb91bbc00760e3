import { type Operator, requireUnbound, type Viewer } from '../../../http/operator.ts';
import { invalidRequest } from '../../../http/request-faults.ts';
import { AppError } from '../../../kernel/app-error.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { newId } from '../../../kernel/ids.ts';
import { addMonths, startOfDay } from '../../../kernel/time-zone.ts';
import { costErrors } from '../cost-errors.ts';
import {
  type ClosedPeriodDocument,
  periodDocument,
  periodDocumentOfTeam,
  type PeriodList,
  type PeriodOrder,
  type ReopenOrder,
} from './period-document.ts';
import type { BillingPeriod, PeriodLedger } from './period-ledger.ts';

export interface PeriodServiceOptions {
  readonly ledger: PeriodLedger;
  readonly clock: Clock;
  /** Whose months where an order does not say. */
  readonly timeZone: string;
}

/** Closes months, so that their statements stay as they are, and opens them again. */
export class PeriodService {
  readonly #options: PeriodServiceOptions;

  constructor(options: PeriodServiceOptions) {
    this.#options = options;
  }

  /** Every closing, the earliest period first; for a viewer who is bound to a team without who did it, and why. */
  async list({ team }: Viewer): Promise<PeriodList> {
    const documentOf = team === undefined ? periodDocument : periodDocumentOfTeam;
    return { periods: (await this.#options.ledger.list()).map((period) => documentOf(period)) };
  }

  /**
   * Closes a month that is over; one that is closed already stays as it is. Throws MILLRACE_PERIOD_NOT_COMPLETE while calls of it are
   * under way or records of it wait for export, MILLRACE_REQUEST_INVALID, and MILLRACE_FORBIDDEN for an operator of one team.
   */
  async close(order: PeriodOrder, operator: Operator): Promise<ClosedPeriodDocument> {
    requireUnbound(operator, 'close periods, since they are closed for all');
    const { ledger, clock } = this.#options;
    const now = clock.now();
    const period = this.#periodOf(order);
    if (period.to > now) throw invalidRequest([{ field: 'month', problem: 'is not over' }]);
    const { actor } = operator;
    const outcome = await ledger.close(period, { id: newId(now), actor, reason: order.reason });
    switch (outcome.kind) {
      case 'closed':
        return periodDocument(outcome.period);
      case 'overlaps': {
        const { month, timeZone } = outcome.period;
        const problem = `lies in part in ${month} of ${timeZone}, which is closed`;
        throw invalidRequest([{ field: 'month', problem }]);
      }
      case 'open_work': {
        const { callsUnderWay, recordsToExport } = outcome.work;
        throw new AppError(
          costErrors.MILLRACE_PERIOD_NOT_COMPLETE,
          `Of ${period.month} ${callsUnderWay} calls are under way, and ${recordsToExport} records are not in the column store yet.`,
        );
      }
    }
  }

  /** Opens a closed month again. Throws MILLRACE_NOT_FOUND when it is not closed, and MILLRACE_FORBIDDEN. */
  async reopen({ month, reason }: ReopenOrder, operator: Operator): Promise<ClosedPeriodDocument> {
    requireUnbound(operator, 'close periods, since they are closed for all');
    const { ledger, clock } = this.#options;
    const reopened = await ledger.reopen(month, { id: newId(clock.now()), actor: operator.actor, reason });
    if (reopened === undefined)
      throw new AppError('MILLRACE_NOT_FOUND', `The period ${month} is not closed.`);
    return periodDocument(reopened);
  }

  #periodOf({ month, timeZone = this.#options.timeZone }: PeriodOrder): BillingPeriod {
    const first = `${month}-01`;
    const startOf = (day: string): Date => new Date(startOfDay(timeZone, day));
    return { month, timeZone, from: startOf(first), to: startOf(addMonths(first, 1)) };
  }
}
