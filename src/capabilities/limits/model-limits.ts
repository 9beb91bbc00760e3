import { type JsonRow, jsonRow, jsonRows, placedJsonRows } from '../../drivers/sql-database/json-rows.ts';
import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import { GroupCommit } from '../../kernel/group-commit.ts';
import { invariant } from '../../kernel/invariant.ts';
import * as sql from './model-limits-sql.ts';
import type { Bucket, Buckets, Taken } from './token-bucket.ts';
import type { LimitBounds } from './limit-names.ts';

/*
 * The buckets of all models in one table, shared by all processes. What many requests want at once is one statement, and a flush is
 * one statement: a group that is refused has taken nothing, and may be halved (see GroupCommit). Models without a row are
 * therefore answered as such, get their rows in a group of their own, and are asked for again.
 */

/** What a model allows each minute; a kind that is absent has no limit. */
export interface RateLimit {
  readonly requestsPerMinute?: number | undefined;
  readonly tokensPerMinute?: number | undefined;
}

export interface LimitedModel {
  readonly provider: string;
  readonly model: string;
}

/** One request that wants to go. */
export interface LimitAsk extends LimitedModel {
  readonly limit: RateLimit;
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

/** What happened to a request that had been let through. */
export interface LimitCorrection extends LimitedModel {
  readonly requestsBack: number;
  /** Negative when it used more than was estimated. */
  readonly tokensBack: number;
  /** How long the provider wants nobody to ask; 0 when it does not say. */
  readonly cooldownMs: number;
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
  readonly bounds?: LimitBounds;
}

interface StateRow {
  readonly requests_limit: number | null;
  readonly tokens_limit: number | null;
  readonly requests_level: number;
  readonly tokens_level: number;
  readonly cooldown_ms: number;
}

interface TakenRow extends StateRow {
  readonly ord: number;
  readonly wait_ms: number;
  readonly is_granted: boolean;
  readonly requests_mark: number;
  readonly tokens_mark: number;
}

/** A request that wants to go, as the statement takes it. */
interface AskRow {
  readonly row: JsonRow;
  readonly mayWait: boolean;
}

/** What was reported of a model, as the statement takes it. */
interface ModelRow extends LimitedModel {
  readonly row: JsonRow;
}

const maxGroup = 400;
/** A model's row may be gone between the statement that makes it and the one that needs it. */
const maxRounds = 4;
// A request may be counted a little earlier there than here.
const requestsSlack = 3;

export class RateLimitStore {
  readonly #database: SqlDatabase;
  readonly #takes: GroupCommit<AskRow, LimitAnswer | undefined>;
  readonly #corrections: GroupCommit<ModelRow, Buckets | undefined>;
  readonly #models: GroupCommit<ModelRow, true>;
  /** The rows that this process has made, with the limits that it wrote. */
  readonly #ensured = new Map<string, RateLimit>();

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
    this.#models = new GroupCommit({
      name: 'limited model',
      clock,
      maxGroup,
      flush: (models) => this.#ensureAll(models),
    });
    bounds?.register('limit_takes', this.#takes);
    bounds?.register('limit_corrections', this.#corrections);
  }

  /**
   * Takes a request from its model's buckets, perhaps ahead of time, or says how long it would have to wait. Throws
   * MILLRACE_DATA_REFUSED for numbers that no bucket can hold, with nothing taken.
   */
  async take(ask: LimitAsk): Promise<LimitAnswer> {
    const row = askRow(ask);
    for (let round = 1; ; round += 1) {
      invariant(round <= maxRounds, 'every model that is asked for has its row');
      await this.#ensure(ask);
      const answer = await this.#takes.submit(row);
      if (answer !== undefined) return answer;
      this.#ensured.delete(keyOf(ask));
    }
  }

  /** Settles a request to the truth. Answers the state after it; undefined when the model's row is gone. */
  async correct(correction: LimitCorrection): Promise<Buckets | undefined> {
    return await this.#corrections.submit(correctionRow(correction));
  }

  async #takeAll(asks: readonly AskRow[]): Promise<readonly (LimitAnswer | undefined)[]> {
    // Those that cannot wait come last: when they are refused, nobody stands behind them.
    const order = [...asks.keys()].toSorted((a, b) => waits(asks[b]) - waits(asks[a]) || a - b);
    const asked = order.flatMap((index) => asks[index]?.row ?? []);
    const { rows } = await this.#database.query<TakenRow>(sql.takeFromLimits, [placedJsonRows(asked, 'ord')]);
    const taken = new Map(rows.map((row) => [order[row.ord + asks.length] ?? -1, answerOf(row)]));
    return asks.map((_, index) => taken.get(index));
  }

  async #ensure({ provider, model, limit }: LimitAsk): Promise<void> {
    const key = keyOf({ provider, model });
    if (this.#ensured.get(key) === limit) return;
    const row = jsonRow('limited model', () => ({
      provider,
      model,
      requests_limit: limit.requestsPerMinute,
      tokens_limit: limit.tokensPerMinute,
    }));
    await this.#models.submit({ provider, model, row });
    this.#ensured.set(key, limit);
  }

  async #ensureAll(models: readonly ModelRow[]): Promise<readonly true[]> {
    // One statement writes a row once: what many ask for at the same time is one model.
    const unique = new Map(models.map((model) => [keyOf(model), model.row]));
    await this.#database.query(sql.ensureLimits, [jsonRows([...unique.values()])]);
    return models.map(() => true);
  }

  async #correctAll(corrections: readonly ModelRow[]): Promise<readonly (Buckets | undefined)[]> {
    const told = placedJsonRows(
      corrections.map(({ row }) => row),
      'ord',
    );
    const { rows } = await this.#database.query<StateRow & LimitedModel>(sql.correctLimits, [told]);
    const states = new Map(rows.map((row) => [keyOf(row), stateOf(row)]));
    return corrections.map((correction) => states.get(keyOf(correction)));
  }
}

function askRow({ provider, model, tokens, maxWaitMs }: LimitAsk): AskRow {
  const row = jsonRow('limit', () => ({
    provider,
    model,
    tokens: countOf('tokens', tokens),
    max_wait_ms: maxWaitMs,
  }));
  return { row, mayWait: maxWaitMs > 0 };
}

function correctionRow(correction: LimitCorrection): ModelRow {
  const { provider, model } = correction;
  const row = jsonRow('limit correction', () => ({
    provider,
    model,
    requests_back: correction.requestsBack,
    tokens_back: countOf('tokensBack', correction.tokensBack),
    cooldown_ms: correction.cooldownMs > 0 ? correction.cooldownMs : undefined,
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
  return { provider, model, row };
}

/** A level that lost an absurd number of tokens would not refill in any time. */
function countOf(field: string, count: number): number {
  if (Math.abs(count) <= Number.MAX_SAFE_INTEGER) return count;
  const problem = `${count} is no number of tokens`;
  throw new AppError('MILLRACE_DATA_REFUSED', `A model limit is not told: ${problem}`, {
    faults: [{ field, problem }],
  });
}

function waits(ask: AskRow | undefined): number {
  return ask?.mayWait === true ? 1 : 0;
}

function keyOf({ provider, model }: LimitedModel): string {
  return `${provider}/${model}`;
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
    cooldownMs: row.cooldown_ms,
  };
}

function bucketOf(perMinute: number | null, level: number): Bucket | undefined {
  return perMinute === null ? undefined : { perMinute, level };
}
