import type { LimitedModel, RateLimit } from './model-limits.ts';

/** Limits by "provider/model", or by "provider/*" for every model of the provider without an entry of its own. */
export type LimitsByName = Readonly<Record<string, RateLimit>>;

/**
 * The limits that are in force: those of the configuration, and above them those that operators have set, each kind by itself.
 * A model without any limit has undefined. A model's limit is the same object until it changes.
 */
export class LimitBook {
  readonly #configured: LimitsByName;
  #set: LimitsByName = {};
  readonly #known = new Map<string, RateLimit | undefined>();

  constructor(configured: LimitsByName) {
    this.#configured = configured;
  }

  /** What operators have set is from now on this. Answers whether that changes anything. */
  replace(set: LimitsByName): boolean {
    if (isSame(this.#set, set)) return false;
    this.#set = set;
    this.#known.clear();
    return true;
  }

  limitOf({ provider, model }: LimitedModel): RateLimit | undefined {
    const name = `${provider}/${model}`;
    if (!this.#known.has(name)) this.#known.set(name, this.inForce(name));
    return this.#known.get(name);
  }

  /** What holds for a name, which may be "provider/*". */
  inForce(name: string): RateLimit | undefined {
    const ofOthers = `${name.slice(0, name.indexOf('/'))}/*`;
    const base = this.#configured[name] ?? (name === ofOthers ? undefined : this.inForce(ofOthers));
    const { requestsPerMinute, tokensPerMinute } = this.#set[name] ?? {};
    const limit = {
      requestsPerMinute: requestsPerMinute ?? base?.requestsPerMinute,
      tokensPerMinute: tokensPerMinute ?? base?.tokensPerMinute,
    };
    return limit.requestsPerMinute === undefined && limit.tokensPerMinute === undefined ? undefined : limit;
  }
}

function isSame(left: LimitsByName, right: LimitsByName): boolean {
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length &&
    names.every(
      (name) =>
        right[name] !== undefined &&
        left[name]?.requestsPerMinute === right[name].requestsPerMinute &&
        left[name]?.tokensPerMinute === right[name].tokensPerMinute,
    )
  );
}
