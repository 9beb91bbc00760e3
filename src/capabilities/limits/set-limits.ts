import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { named } from '../../drivers/sql-database/sql-statement.ts';
import type { Clock } from '../../kernel/clock.ts';
import { newId } from '../../kernel/ids.ts';
import { invariant } from '../../kernel/invariant.ts';
import { recordAction } from '../../engine/ledger/operator-action.ts';
import type { RateLimit } from './model-limits.ts';

/** A limit that an operator has set, and stands above the configured one. */
export interface SetLimit extends RateLimit {
  /** "provider/model", or "provider/*". */
  readonly model: string;
  readonly actor: string;
  readonly reason: string;
  readonly setAt: Date;
}

/** Who does it, and why. */
export interface LimitOperation {
  readonly actor: string;
  readonly reason: string;
}

const columns = 'l.model, l.requests_limit, l.tokens_limit, l.actor, l.reason, l.set_at';
const asSet = "json_build_object('requestsPerMinute', requests_limit, 'tokensPerMinute', tokens_limit)";

const readSetLimits = named(
  'limits.read_set',
  `select ${columns} from millrace.set_model_limits l order by l.model`,
);

/** $1 model, $2 requests, $3 tokens, $4 actor, $5 reason, $6 the audit's id. */
const setLimit = named(
  'limits.set',
  `with before as materialized (select ${asSet} as set from millrace.set_model_limits where model = $1::text),
   written as (
     insert into millrace.set_model_limits as l (model, requests_limit, tokens_limit, actor, reason)
     values ($1::text, $2::float8, $3::float8, $4, $5)
     on conflict (model) do update set requests_limit = excluded.requests_limit, tokens_limit = excluded.tokens_limit,
       actor = excluded.actor, reason = excluded.reason, set_at = clock_timestamp()
     returning ${columns}),
   audited as (
     ${recordAction({
       id: '$6::uuid',
       actor: '$4',
       action: "'limits.set'",
       target: "'model ' || model",
       detail: `json_build_object('from', (select set from before), 'to', ${asSet})`,
       reason: '$5',
       from: 'written',
     })})
   select * from written`,
);

/** $1 model, $2 actor, $3 reason, $4 the audit's id. */
const resetLimit = named(
  'limits.reset',
  `with gone as (delete from millrace.set_model_limits l where l.model = $1::text returning ${columns}),
   audited as (
     ${recordAction({
       id: '$4::uuid',
       actor: '$2',
       action: "'limits.reset'",
       target: "'model ' || model",
       detail: `json_build_object('from', ${asSet}, 'setBy', actor, 'setAt', set_at, 'setFor', reason)`,
       reason: '$3',
       from: 'gone',
     })})
   select * from gone`,
);

interface Row {
  readonly model: string;
  readonly requests_limit: number | null;
  readonly tokens_limit: number | null;
  readonly actor: string;
  readonly reason: string;
  readonly set_at: Date;
}

/** The limits that operators have set, in the ledger: every process reads them there. */
export class SetLimits {
  readonly #database: SqlDatabase;
  readonly #clock: Clock;

  constructor({ database, clock }: { readonly database: SqlDatabase; readonly clock: Clock }) {
    this.#database = database;
    this.#clock = clock;
  }

  async read(): Promise<readonly SetLimit[]> {
    const { rows } = await this.#database.query<Row>(readSetLimits);
    return rows.map((row) => limitOf(row));
  }

  /** Sets the limits of a model anew, both kinds at once; a kind that is absent is as configured. Audited. */
  async set(model: string, limit: RateLimit, { actor, reason }: LimitOperation): Promise<SetLimit> {
    const { rows } = await this.#database.query<Row>(setLimit, [
      model,
      limit.requestsPerMinute,
      limit.tokensPerMinute,
      actor,
      reason,
      newId(this.#clock.now()),
    ]);
    const [row] = rows;
    invariant(row !== undefined, 'setting a limit answers its row');
    return limitOf(row);
  }

  /** The limits of a model are the configured ones again. Answers what was set; undefined when nothing was. Audited. */
  async reset(model: string, { actor, reason }: LimitOperation): Promise<SetLimit | undefined> {
    const { rows } = await this.#database.query<Row>(resetLimit, [
      model,
      actor,
      reason,
      newId(this.#clock.now()),
    ]);
    const [row] = rows;
    return row === undefined ? undefined : limitOf(row);
  }
}

function limitOf(row: Row): SetLimit {
  return {
    model: row.model,
    requestsPerMinute: row.requests_limit ?? undefined,
    tokensPerMinute: row.tokens_limit ?? undefined,
    actor: row.actor,
    reason: row.reason,
    setAt: row.set_at,
  };
}
