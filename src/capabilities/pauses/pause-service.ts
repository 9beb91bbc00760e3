import { AppError } from '../../kernel/app-error.ts';
import { isUuid } from '../../kernel/ids.ts';
import { describeBlock, type Block } from '../../engine/ledger/block.ts';
import type { BlockOrder, Blocks } from '../../engine/ledger/blocks.ts';
import {
  pauseDocument,
  pauseListDocument,
  type PauseList,
  type ResumedPauseDocument,
  type PlacedPauseDocument,
} from './pause-documents.ts';
import { type Operator, requireUnbound, type Viewer } from '../../http/operator.ts';

/** What only an operator of all teams may do. */
const mayOnly = 'stop work or let it go on';

/** What an operator does to stop work and to let it go on. Who is bound to a team may look, not act. */
export class PauseService {
  readonly #blocks: Blocks;

  constructor(blocks: Blocks) {
    this.#blocks = blocks;
  }

  /** What stands, oldest first, with how many messages wait for it. */
  async list(viewer: Viewer): Promise<PauseList> {
    return pauseListDocument(await this.#blocks.list(viewer));
  }

  /**
   * Stops what the order names. Resolves when it counts everywhere: from then on nothing of it is begun. Placed again, the
   * reason and whether it aborts are as given now. Throws MILLRACE_FORBIDDEN.
   */
  async place(order: Omit<BlockOrder, 'actor'>, operator: Operator): Promise<PlacedPauseDocument> {
    requireUnbound(operator, mayOnly);
    const { block, isNew, stragglers } = await this.#blocks.place({ ...order, actor: operator.actor });
    const warnings: string[] = [];
    if (stragglers > 0) {
      warnings.push(
        `The pause stands, but ${stragglers} transactions that began before it have not ended: what they began may go on.`,
      );
    }
    // Only now: nothing may delay the stop.
    if (!(await this.#blocks.isKnown(block))) {
      warnings.push(
        `Nothing that is open, and none of the newest messages and calls, is of ${describeBlock(block)}: is the name right?`,
      );
    }
    return { pause: pauseDocument(block), isNew, warnings };
  }

  /** Lets what a pause stopped go on. Throws MILLRACE_NOT_FOUND when it does not stand, and MILLRACE_FORBIDDEN. */
  async resume(
    which: { readonly id: string } | Pick<Block, 'scope' | 'value'>,
    reason: string,
    operator: Operator,
  ): Promise<ResumedPauseDocument> {
    requireUnbound(operator, mayOnly);
    const isPossible = !('id' in which) || isUuid(which.id);
    const block = isPossible
      ? await this.#blocks.remove(which, { actor: operator.actor, reason })
      : undefined;
    if (block === undefined) {
      const name = 'id' in which ? `with the id ${JSON.stringify(which.id)}` : `on ${describeBlock(which)}`;
      throw new AppError('MILLRACE_NOT_FOUND', `There is no pause ${name}.`);
    }
    return { pause: pauseDocument(block) };
  }
}
