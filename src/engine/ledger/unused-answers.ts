import { jsonRow, jsonRows } from '../../drivers/sql-database/json-rows.ts';
import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { named } from '../../drivers/sql-database/sql-statement.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { formatUsd } from '../../kernel/money.ts';
import { type AttributedCallRow, attributedCallOf, type CallAttribution } from './attributed-call.ts';
import {
  type AnsweredCall,
  answeredCallOf,
  type AnsweredCallRow,
  rejectedInCascade,
} from './invalid-output-ledger.ts';
import type { WasteReason } from './settlement.ts';

/** A good answer on which nothing rests, with whom its call was made for. */
export type UnusedAnswer = AnsweredCall & CallAttribution;

/** The records that make waste of it: what takes it back from where it stood, and what adds it as waste. */
export interface WastedAnswer {
  readonly call: UnusedAnswer;
  readonly lines: readonly [back: string, waste: string];
}

/** What is read of call c and its message m. */
const columns = `c.id, c.message_id, c.origin as call_origin, c.step, c.attempt, c.provider, c.model, c.answered_model, c.operation, c.tier, c.request_kind,
     c.fallback_from, c.shared_request, c.cascade_place, c.cascade_models, c.via, c.cascade_verdict, c.cascade_usd, c.reserved_at, c.settlement, c.provider_request_id, c.tokens, c.cost_usd, c.upper_bound_usd, c.is_suspect,
     c.price_reference, c.price_catalogue, c.cost_detail, m.root_id, m.pipeline, m.stage, m.owner, m.team, m.customer, m.feature, m.batch, m.labels,
     m.item, m.trace_parent`;

/** Billed, good and no waste so far. */
const isAnswered = `c.state = 'settled' and c.outcome = 'ok' and c.settlement <> 'free' and c.invalidated_at is null`;

/** $1 ids of calls. */
const findByIds = named(
  'ledger.find_unused_answers',
  `select ${columns} from millrace.calls c join millrace.messages m on m.id = c.message_id
   where c.id = any($1::uuid[]) and ${isAnswered} order by c.id`,
);

/** $1 roots, $2 how many: answers of all messages of their trees, by index (`offset 0`) once for each message. */
const findOfTrees = named(
  'ledger.find_answers_of_trees',
  `with tree as materialized (
     select o.* from unnest($1::uuid[]) as r(id) cross join lateral (
       select m.* from millrace.messages m where m.id = r.id
       union all
       select m.* from millrace.messages m where m.root_id = r.id and m.parent_id is not null) o)
   select ${columns} from tree m cross join lateral (select c.* from millrace.calls c where c.message_id = m.id offset 0) c
   where ${isAnswered} order by c.id limit $2`,
);

/**
 * $1 calls as they were read, each with its two records, $2 the reason: their answers are never given again, and their cost becomes waste. Once, and only
 * of calls that are what their records say.
 */
const wasteAnswers = named(
  'ledger.waste_answers',
  `with told as materialized (
     select * from json_to_recordset($1::json) as r(id uuid, settlement text, is_suspect boolean, tokens text, cost_usd numeric, upper_bound_usd numeric,
       back text, waste text)),
   wasted as (
     update millrace.calls c set invalidated_at = clock_timestamp(), waste_reason = $2, ${rejectedInCascade}
     from told t
     where c.id = t.id and ${isAnswered} and c.settlement = t.settlement and c.is_suspect = t.is_suspect and c.tokens is not distinct from t.tokens
       and c.cost_usd is not distinct from t.cost_usd and c.upper_bound_usd is not distinct from t.upper_bound_usd
     returning c.id, t.back, t.waste),
   recorded as (
     insert into millrace.outbox (target, line)
     select 'usage', l.line from wasted w cross join lateral (values (1, w.back), (2, w.waste)) as l(place, line) order by w.id, l.place)
   select id from wasted`,
);

/** The ledger's part about answers that came whole and that nothing used: their calls stay settled, and their cost counts as waste. */
export class UnusedAnswers {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** Those of these calls whose answers are no waste so far. */
  async find(ids: readonly Uuid[]): Promise<readonly UnusedAnswer[]> {
    const { rows } = await this.#database.query<UnusedAnswerRow>(findByIds, [ids]);
    return rows.map((row) => unusedAnswerOf(row));
  }

  /** All answers that messages got which follow from these, and that are no waste so far. */
  async findOfTrees(rootIds: readonly Uuid[], limit: number): Promise<readonly UnusedAnswer[]> {
    const { rows } = await this.#database.query<UnusedAnswerRow>(findOfTrees, [rootIds, limit]);
    return rows.map((row) => unusedAnswerOf(row));
  }

  /** Those that have changed since they were read are left as they are. Answers how many became waste. */
  async waste(answers: readonly WastedAnswer[], reason: WasteReason): Promise<number> {
    const told = answers.map(({ call, lines: [back, waste] }) =>
      jsonRow('waste answers', () => ({
        id: call.id,
        settlement: call.settlement,
        is_suspect: call.isSuspect,
        tokens: call.storedTokens,
        cost_usd: call.costUsd === undefined ? null : formatUsd(call.costUsd),
        upper_bound_usd: call.upperBoundUsd === undefined ? null : formatUsd(call.upperBoundUsd),
        back,
        waste,
      })),
    );
    const { rows } = await this.#database.query(wasteAnswers, [jsonRows(told), reason]);
    return rows.length;
  }
}

type UnusedAnswerRow = AnsweredCallRow & AttributedCallRow;

function unusedAnswerOf(row: UnusedAnswerRow): UnusedAnswer {
  const { origin, message } = attributedCallOf(row);
  return { ...answeredCallOf(row), origin, message };
}
