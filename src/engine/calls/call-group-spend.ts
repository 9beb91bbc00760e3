import { addUsd, type Usd, zeroUsd } from '../../kernel/money.ts';
import { type TokenClass, type TokenCounts, tokenClasses } from '../../pricing/token-classes.ts';
import type { SettledCall } from '../ledger/settlement.ts';

/** What a scope has spent so far. Amounts are exact. */
export interface CallGroupSpend {
  /** Requests that were made and settled. */
  readonly calls: number;
  /** Requests answered from the record: they cost nothing. */
  readonly reused: number;
  /** Of the calls: those whose usage is counted, not reported. */
  readonly estimated: number;
  /** Of the calls: those of unknown outcome. */
  readonly unsettled: number;
  /** Of the calls: those for which no price is known. They are not in the cost. */
  readonly unpriced: number;
  readonly costUsd: Usd;
  /** What the estimated and unsettled calls may have cost at most. */
  readonly openUpperUsd: Usd;
  readonly tokens: TokenCounts;
}

/** Adds up the calls of a scope. */
export class SpendCounter {
  #calls = 0;
  #reused = 0;
  #estimated = 0;
  #unsettled = 0;
  #unpriced = 0;
  #costUsd: Usd = zeroUsd;
  #openUpperUsd: Usd = zeroUsd;
  readonly #tokens: Partial<Record<TokenClass, number>> = {};

  addReused(): void {
    this.#reused += 1;
  }

  add(call: Pick<SettledCall, 'settlement' | 'costUsd' | 'upperBoundUsd' | 'tokens'>): void {
    this.#calls += 1;
    if (call.settlement === 'estimated') this.#estimated += 1;
    if (call.settlement === 'unsettled') this.#unsettled += 1;
    else if (call.costUsd === undefined) this.#unpriced += 1;
    if (call.costUsd !== undefined) this.#costUsd = addUsd(this.#costUsd, call.costUsd);
    if (call.upperBoundUsd !== undefined) this.#openUpperUsd = addUsd(this.#openUpperUsd, call.upperBoundUsd);
    for (const name of tokenClasses) {
      const count = call.tokens[name];
      if (count) this.#tokens[name] = (this.#tokens[name] ?? 0) + count;
    }
  }

  get total(): CallGroupSpend {
    return {
      calls: this.#calls,
      reused: this.#reused,
      estimated: this.#estimated,
      unsettled: this.#unsettled,
      unpriced: this.#unpriced,
      costUsd: this.#costUsd,
      openUpperUsd: this.#openUpperUsd,
      tokens: { ...this.#tokens },
    };
  }
}
