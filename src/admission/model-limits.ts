import type { SqlDatabase } from '../drivers/sql-database/sql-database.ts';
import type { Clock } from '../kernel/clock.ts';
import { GroupCommit } from '../kernel/group-commit.ts';
import { invariant } from '../kernel/invariant.ts';
import * as sql from './model-limits-sql.ts';
import type { Bucket, Buckets, Taken } from './token-bucket.ts';
import type { Bounds } from '../telemetry/bounds.ts';

/* The buckets of all models in one table, shared by all processes. What many requests want at once is one statement. */

/** What a model allows each minute; a kind that is absent has no limit. */
export interface ModelLimit {
  readonly requestsPerMinute?: number | undefined;
  readonly tokensPerMinute?: number | undefined;
}

export interface LimitedModel {
  readonly provider: string;
  readonly model: string;
}

/** One request that wants to go. */
export interface LimitAsk extends LimitedModel {
  readonly limit: ModelLimit;
  /** By estimate, input and output together. */
  readonly tokens: number;
  readonly maxWaitMs: number;
}

/** Where a request stands among all that was ever taken: what comes after it has higher marks. */
export interface TakenMarks {
  readonly requests: number;
  readonly tokens: number;
}

export interface LimitAnswer extends Taken {
  readonly marks: TakenMarks;
  readonly state: Buckets;
}

/** What became of a request that had been let through. */
export interface LimitCorrection extends LimitedModel {
  readonly requestsBack: number;
  /** Negative when it used more than was estimated. */
  readonly tokensBack: number;
  /** How long the provider wants nobody to ask; 0 when it does not say. */
  readonly blockMs: number;
  readonly sentMsAgo: number;
  readonly marks: TakenMarks;
  /** By how much the provider's view may be lower than ours without meaning anything. */
  readonly tokensSlack: number;
  readonly told: {
    readonly requests: { readonly perMinute: number | undefined; readonly remaining: number | undefined };
    readonly tokens: { readonly perMinute: number | undefined; readonly remaining: number | undefined };
  };
}

export interface ModelLimitsOptions {
  readonly database: SqlDatabase;
  readonly clock: Clock;
  readonly bounds?: Bounds;
}

interface StateRow {
  readonly requests_limit: number | null;
  readonly tokens_limit: number | null;
  readonly requests_level: number;
  readonly tokens_level: number;
  readonly blocked_ms: number;
}

interface TakenRow extends StateRow {
  readonly ord: number;
  readonly wait_ms: number;
  readonly is_granted: boolean;
  readonly requests_mark: number;
  readonly tokens_mark: number;
}

const maxGroup = 400;
// A request may be counted a little earlier there than here.
const requestsSlack = 3;

export class ModelLimits {
  readonly #database: SqlDatabase;
  readonly #takes: GroupCommit<LimitAsk, LimitAnswer>;
  readonly #corrections: GroupCommit<LimitCorrection, Buckets | undefined>;
  /** The rows that this process has made, with the limits that it wrote. */
  readonly #ensured = new Map<string, ModelLimit>();

  constructor({ database, clock, bounds }: ModelLimitsOptions) {
    this.#database = database;
    this.#takes = new GroupCommit({
      name: 'limit',
      clock,
      maxGroup,
      flush: (asks) => this.#takeAll(asks),
    });
    this.#corrections = new GroupCommit({
      name: 'limit correction',
      clock,
      maxGroup,
      flush: (corrections) => this.#correctAll(corrections),
    });
    bounds?.register('limit_takes', this.#takes);
    bounds?.register('limit_corrections', this.#corrections);
  }

  /** Takes a request from its model's buckets, perhaps ahead of time, or says how long it would have to wait. */
  take(ask: LimitAsk): Promise<LimitAnswer> {
    return this.#takes.submit(ask);
  }

  /** Settles a request to the truth. Answers the state after it; undefined when the model's row is gone. */
  correct(correction: LimitCorrection): Promise<Buckets | undefined> {
    return this.#corrections.submit(correction);
  }

  async #takeAll(asks: readonly LimitAsk[]): Promise<readonly LimitAnswer[]> {
    await this.#ensure(asks);
    // Those that cannot wait come last: when they are refused, nobody stands behind them.
    const order = asks.map((_, index) => index).toSorted((a, b) => waits(asks[b]) - waits(asks[a]) || a - b);
    const rows = await this.#take(asks, order);
    const missing = order.filter((index) => !rows.has(index));
    if (missing.length > 0) {
      for (const index of missing) this.#ensured.delete(keyOf(asks[index]));
      await this.#ensure(asks);
      for (const [index, row] of await this.#take(asks, missing)) rows.set(index, row);
    }
    return asks.map((_, index) => {
      const row = rows.get(index);
      invariant(row !== undefined, 'every model that is asked for has its row');
      return answerOf(row);
    });
  }

  async #take(asks: readonly LimitAsk[], order: readonly number[]): Promise<Map<number, TakenRow>> {
    const asked = order.map((index, ord) => {
      const ask = asks[index];
      return {
        ord,
        provider: ask?.provider,
        model: ask?.model,
        tokens: ask?.tokens,
        max_wait_ms: ask?.maxWaitMs,
      };
    });
    const { rows } = await this.#database.query<TakenRow>(sql.takeFromLimits, [JSON.stringify(asked)]);
    return new Map(rows.map((row) => [order[row.ord] ?? -1, row]));
  }

  async #ensure(asks: readonly LimitAsk[]): Promise<void> {
    const unknown = new Map(
      asks
        .filter((ask) => this.#ensured.get(keyOf(ask)) !== ask.limit)
        .map((ask) => [keyOf(ask), ask] as const),
    );
    if (unknown.size === 0) return;
    const rows = [...unknown.values()].map(({ provider, model, limit }) => ({
      provider,
      model,
      requests_limit: limit.requestsPerMinute,
      tokens_limit: limit.tokensPerMinute,
    }));
    await this.#database.query(sql.ensureLimits, [JSON.stringify(rows)]);
    for (const [key, { limit }] of unknown) this.#ensured.set(key, limit);
  }

  async #correctAll(corrections: readonly LimitCorrection[]): Promise<readonly (Buckets | undefined)[]> {
    const told = corrections.map((correction, ord) => ({
      ord,
      provider: correction.provider,
      model: correction.model,
      requests_back: correction.requestsBack,
      tokens_back: correction.tokensBack,
      block_ms: correction.blockMs > 0 ? correction.blockMs : undefined,
      sent_ms_ago: correction.sentMsAgo,
      requests_mark: correction.marks.requests,
      tokens_mark: correction.marks.tokens,
      requests_slack: requestsSlack,
      tokens_slack: correction.tokensSlack,
      requests_left: correction.told.requests.remaining,
      tokens_left: correction.told.tokens.remaining,
      requests_reported: correction.told.requests.perMinute,
      tokens_reported: correction.told.tokens.perMinute,
    }));
    const { rows } = await this.#database.query<StateRow & LimitedModel>(sql.correctLimits, [
      JSON.stringify(told),
    ]);
    const states = new Map(rows.map((row) => [keyOf(row), stateOf(row)]));
    return corrections.map((correction) => states.get(keyOf(correction)));
  }
}

function waits(ask: LimitAsk | undefined): number {
  return ask !== undefined && ask.maxWaitMs > 0 ? 1 : 0;
}

function keyOf(model: LimitedModel | undefined): string {
  return `${model?.provider}/${model?.model}`;
}

function answerOf(row: TakenRow): LimitAnswer {
  return {
    isGranted: row.is_granted,
    waitMs: row.wait_ms,
    marks: { requests: row.requests_mark, tokens: row.tokens_mark },
    state: stateOf(row),
  };
}

function stateOf(row: StateRow): Buckets {
  return {
    requests: bucketOf(row.requests_limit, row.requests_level),
    tokens: bucketOf(row.tokens_limit, row.tokens_level),
    blockedMs: row.blocked_ms,
  };
}

function bucketOf(perMinute: number | null, level: number): Bucket | undefined {
  return perMinute === null ? undefined : { perMinute, level };
}
