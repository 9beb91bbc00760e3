import { invalidRequest } from '../../../http/request-faults.ts';
import { AppError } from '../../../kernel/app-error.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { newId } from '../../../kernel/ids.ts';
import type { OverrideEntry, PriceOverrides } from '../../../engine/ledger/price-overrides.ts';
import { type Operator, requireUnbound } from '../../../http/operator.ts';
import {
  overrideDocument,
  type OverrideDocument,
  type OverrideList,
  unreadableDocument,
} from './override-document.ts';

/** Prices that operators set while everything runs. All processes follow within seconds. */
export class OverrideService {
  readonly #overrides: PriceOverrides;
  readonly #clock: Clock;

  constructor({ overrides, clock }: { readonly overrides: PriceOverrides; readonly clock: Clock }) {
    this.#overrides = overrides;
    this.#clock = clock;
  }

  /** In the order in which they were set. */
  async list(): Promise<OverrideList> {
    const now = this.#clock.now();
    const { overrides, unreadable } = await this.#overrides.read();
    return {
      overrides: overrides.map((override) => overrideDocument(override, now)),
      unreadable: unreadable.map((one) => unreadableDocument(one)),
    };
  }

  /** Sets a price. Throws MILLRACE_REQUEST_INVALID when another one stands in its way, and MILLRACE_FORBIDDEN. */
  async set(price: OverrideEntry, reason: string, operator: Operator): Promise<OverrideDocument> {
    requireUnbound(operator, 'set prices, since they hold for all');
    const now = this.#clock.now();
    const outcome = await this.#overrides.set(price, { id: newId(now), actor: operator.actor, reason });
    if (outcome.kind === 'refused') throw invalidRequest(outcome.faults);
    return overrideDocument(outcome.override, now);
  }

  /**
   * Lets a price hold no more from now on; `entirely`: as if it had never held, also when calls are priced anew. One that has not begun
   * before now goes entirely. What cannot be read goes only entirely. Throws MILLRACE_NOT_FOUND, MILLRACE_REQUEST_INVALID for one that is over, and MILLRACE_FORBIDDEN.
   */
  async unset(
    id: string,
    { reason, entirely }: { readonly reason: string; readonly entirely: boolean },
    operator: Operator,
  ): Promise<OverrideList> {
    requireUnbound(operator, 'set prices, since they hold for all');
    const ended = await this.#overrides.end(
      id,
      { entirely, now: () => this.#clock.now() },
      { id: newId(this.#clock.now()), actor: operator.actor, reason },
    );
    if (ended === 'not_there') throw new AppError('MILLRACE_NOT_FOUND', `There is no price override ${id}.`);
    if (ended === 'over')
      throw invalidRequest([
        { field: 'id', problem: 'names an override that is over; only entirely would change anything' },
      ]);
    if (ended === 'unreadable')
      throw invalidRequest([
        { field: 'id', problem: 'names an override that cannot be read; only entirely removes it' },
      ]);
    return await this.list();
  }
}
