import { AppError } from '../../kernel/app-error.ts';
import { isUuid } from '../../kernel/ids.ts';
import { describeHold, type Hold } from '../../engine/ledger/hold.ts';
import type { HoldOrder, Holds } from '../../engine/ledger/holds.ts';
import {
  holdDocument,
  holdListDocument,
  type HoldList,
  type LiftedHoldDocument,
  type PlacedHoldDocument,
} from './hold-documents.ts';

/** Who looks or acts: the name for the audit, and the only team that may be seen, if there is one. */
export interface HoldOperator {
  readonly actor: string;
  readonly team?: string | undefined;
}

/** What an operator does to stop work and to let it go on. Who is bound to a team may look, not act. */
export class HoldOffice {
  readonly #holds: Holds;

  constructor(holds: Holds) {
    this.#holds = holds;
  }

  /** What stands, oldest first, with how many messages wait for it. */
  async list(viewer: Pick<HoldOperator, 'team'>): Promise<HoldList> {
    return holdListDocument(await this.#holds.list(viewer));
  }

  /**
   * Stops what the order names. Resolves when it counts everywhere: from then on nothing of it is begun. Placed again, the
   * reason and whether it aborts are as given now. Throws MILLRACE_FORBIDDEN.
   */
  async place(order: Omit<HoldOrder, 'actor'>, operator: HoldOperator): Promise<PlacedHoldDocument> {
    requireUnbound(operator);
    const { hold, isNew, stragglers } = await this.#holds.place({ ...order, actor: operator.actor });
    const warnings: string[] = [];
    if (stragglers > 0) {
      warnings.push(
        `The hold stands, but ${stragglers} transactions that began before it have not ended: what they began may go on.`,
      );
    }
    // Only now: nothing may delay the stop.
    if (!(await this.#holds.isKnown(hold))) {
      warnings.push(
        `Nothing that is open, and none of the newest messages and calls, is of ${describeHold(hold)}: is the name right?`,
      );
    }
    return { hold: holdDocument(hold), isNew, warnings };
  }

  /** Lets what a hold stopped go on. Throws MILLRACE_NOT_FOUND when it does not stand, and MILLRACE_FORBIDDEN. */
  async lift(
    which: { readonly id: string } | Pick<Hold, 'scope' | 'value'>,
    reason: string,
    operator: HoldOperator,
  ): Promise<LiftedHoldDocument> {
    requireUnbound(operator);
    const isPossible = !('id' in which) || isUuid(which.id);
    const hold = isPossible ? await this.#holds.lift(which, { actor: operator.actor, reason }) : undefined;
    if (hold === undefined) {
      const name = 'id' in which ? `with the id ${JSON.stringify(which.id)}` : `on ${describeHold(which)}`;
      throw new AppError('MILLRACE_NOT_FOUND', `There is no hold ${name}.`);
    }
    return { hold: holdDocument(hold) };
  }
}

function requireUnbound({ team }: HoldOperator): void {
  if (team === undefined) return;
  throw new AppError(
    'MILLRACE_FORBIDDEN',
    `This API key belongs to the team "${team}"; only one without a team may stop work or let it go on.`,
  );
}
