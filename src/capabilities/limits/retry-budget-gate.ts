import { Parked } from '../../engine/parked.ts';
import type { CallGate, GatePass, GateQuestion } from '../../engine/calls/call-gate.ts';
import type { ModelHealth } from './model-health.ts';
import type { RetryBudgetSettings } from './model-health-store.ts';
import type { WatchedModel } from './watched-model.ts';

/*
 * Retries of a model are at most a floor and a share of its first attempts, in a window, over all processes. First
 * attempts are counted when they have ended and are reported twice a second; each retry is permitted by the ledger before it
 * leaves. So the share is never too high: what is not known yet is not counted on. Those that ask at the same time are
 * permitted together. A retry that cannot be asked for waits: the ledger that would permit it must reserve it, too.
 */

interface Asking {
  readonly permitted: (windowStart: Date | undefined) => void;
  readonly failed: (error: unknown) => void;
}

export interface RetryBudgetGateOptions {
  readonly health: ModelHealth;
  readonly settings: RetryBudgetSettings;
  /** From 0 up to 1. */
  readonly random: () => number;
}

export class RetryBudgetGate implements CallGate {
  readonly #health: ModelHealth;
  readonly #settings: RetryBudgetSettings;
  readonly #random: () => number;
  readonly #asking = new Map<WatchedModel, Asking[]>();

  constructor({ health, settings, random }: RetryBudgetGateOptions) {
    this.#health = health;
    this.#settings = settings;
    this.#random = random;
  }

  async enter({ provider, model, attempt }: GateQuestion): Promise<GatePass | undefined> {
    const watched = this.#health.watch(provider, model);
    if (watched === undefined) return undefined;
    if (attempt <= 1) {
      return {
        end: (end) => {
          // An aborted one may never have left.
          if (end.kind === 'sent' && end.failure !== 'aborted') this.#health.count(watched, 'firsts');
        },
      };
    }
    const windowStart = await this.#permit(watched);
    if (windowStart === undefined) throw this.#refusal(watched);
    return {
      end: (end) => {
        if (end.kind === 'not_sent') watched.giveBackRetry(windowStart);
      },
    };
  }

  /** The window that the retry is counted in; undefined when the budget is used up. */
  async #permit(watched: WatchedModel): Promise<Date | undefined> {
    try {
      return await new Promise((permitted, failed) => {
        const asking = this.#asking.get(watched);
        if (asking !== undefined) {
          asking.push({ permitted, failed });
          return;
        }
        this.#asking.set(watched, [{ permitted, failed }]);
        void this.#askFor(watched);
      });
    } catch (error) {
      this.#health.noteAway(error);
      return undefined;
    }
  }

  async #askFor(watched: WatchedModel): Promise<void> {
    for (;;) {
      const group = this.#asking.get(watched) ?? [];
      if (group.length === 0) {
        this.#asking.delete(watched);
        return;
      }
      this.#asking.set(watched, []);
      try {
        const { permitted, windowStart } = await this.#health.options.store.grantRetries(
          watched,
          group.length,
          this.#settings,
        );
        for (const [place, one] of group.entries())
          one.permitted(place < permitted ? windowStart : undefined);
      } catch (error) {
        for (const one of group) one.failed(error);
      }
    }
  }

  #refusal({ provider, model }: WatchedModel): Parked {
    const stepMs = this.#settings.windowMs / 6;
    return new Parked(`${provider}/${model}: its retries have used up their share, this one waits.`, {
      reason: 'retry_budget',
      about: `${provider}/${model}`,
      delayMs: Math.round(stepMs * (1 + this.#random() * 0.5)),
    });
  }
}
