import { AppError } from '../../kernel/app-error.ts';
import { type Operator, requireUnbound } from '../../http/operator.ts';
import { LimitBook, type LimitsByName } from './limit-book.ts';
import { type ModelLimitDocument, type ModelLimitList, setLimitDocument } from './limit-documents.ts';
import type { LimitOrder } from './limit-requests.ts';
import type { RateLimit } from './model-limits.ts';
import type { SetLimit, SetLimits } from './set-limits.ts';

/** What only an operator of all teams may do. */
const mayOnly = 'set limits, since they hold for all';

/** What operators see and change of the limits of models. All processes follow within seconds. */
export class LimitService {
  readonly #configured: LimitsByName;
  readonly #limits: SetLimits;

  constructor({ configured, limits }: { readonly configured: LimitsByName; readonly limits: SetLimits }) {
    this.#configured = configured;
    this.#limits = limits;
  }

  /** What is configured, what is set, and what is in force, by name. */
  async list(): Promise<ModelLimitList> {
    const set = await this.#limits.read();
    const names = new Set([...Object.keys(this.#configured), ...set.map(({ model }) => model)]);
    return { limits: [...names].toSorted().map((name) => this.#documentOf(name, set)) };
  }

  /** Sets a model's limits; what the order does not name is as configured. Throws MILLRACE_FORBIDDEN. */
  async set({ model, reason, ...limit }: LimitOrder, operator: Operator): Promise<ModelLimitDocument> {
    requireUnbound(operator, mayOnly);
    await this.#limits.set(model, limit, { actor: operator.actor, reason });
    return this.#documentOf(model, await this.#limits.read());
  }

  /** A model's limits are as configured again. Throws MILLRACE_NOT_FOUND when none was set, and MILLRACE_FORBIDDEN. */
  async reset(model: string, reason: string, operator: Operator): Promise<ModelLimitDocument> {
    requireUnbound(operator, mayOnly);
    const gone = await this.#limits.reset(model, { actor: operator.actor, reason });
    if (gone === undefined)
      throw new AppError('MILLRACE_NOT_FOUND', `No limit of ${model} is set; what holds is configured.`);
    return this.#documentOf(model, await this.#limits.read());
  }

  #documentOf(name: string, set: readonly SetLimit[]): ModelLimitDocument {
    const book = new LimitBook(this.#configured);
    book.replace(Object.fromEntries(set.map((one) => [one.model, one])));
    const own = set.find(({ model }) => model === name);
    const configured = this.#configured[name];
    return {
      model: name,
      inForce: rateOf(book.inForce(name)),
      ...(configured === undefined ? {} : { configured: rateOf(configured) }),
      ...(own === undefined ? {} : { set: setLimitDocument(own) }),
    };
  }
}

function rateOf({ requestsPerMinute, tokensPerMinute }: RateLimit = {}): ModelLimitDocument['inForce'] {
  return {
    ...(requestsPerMinute === undefined ? {} : { requestsPerMinute }),
    ...(tokensPerMinute === undefined ? {} : { tokensPerMinute }),
  };
}
