import { jsonRow, jsonRows, type JsonRow } from '../../drivers/sql-database/json-rows.ts';
import type { SqlDatabase, SqlExecutor } from '../../drivers/sql-database/sql-database.ts';
import { derivedId, type Uuid } from '../../kernel/ids.ts';
import { invariant } from '../../kernel/invariant.ts';
import { isRefusedData, writeSplittingRefused } from '../../kernel/split-refused.ts';
import type { Origin } from '../../messages/origin.ts';
import type { CallWay } from './call-way.ts';
import { settledColumns } from './call-rows.ts';
import type { SettledCall } from './settlement.ts';
import { claimKeys, forgetKeys, insertToldCalls, passKeysOn, recordToldCalls } from './told-call-sql.ts';

/*
 * Calls that happened elsewhere, and that the ledger is told of afterwards. They are settled from the beginning: nothing was reserved, and nothing can be
 * refused any more. Call, keys and usage record are one transaction:
 *
 *   told ─► keys claimed ─► all its own:      call and record written
 *               └─► one of them is another's: the keys pass to that one, nothing is written
 */

/** A call as somebody else tells of it. Its id follows from its first key. */
export interface ToldCall {
  readonly id: Uuid;
  readonly via: Extract<CallWay, 'otlp' | 'event'>;
  readonly origin: Origin;
  readonly step: string;
  readonly provider: string;
  /** As it was asked for. */
  readonly model: string;
  readonly operation: 'chat' | 'embeddings';
  readonly requestKind: 'single' | 'batch';
  /** When it was sent. */
  readonly sentAt: Date;
  /** What names it within its team. */
  readonly keys: readonly string[];
  readonly end: Omit<SettledCall, 'id' | 'state' | 'answer'>;
}

/** `duplicate`: a call that one of its keys names was there already. */
export type ToldOutcome =
  | { readonly kind: 'recorded'; readonly callId: Uuid }
  | { readonly kind: 'duplicate'; readonly callId: Uuid };

/** The id of a call that is told of: the same for the same team, key and time. */
export function toldCallId(sentAt: Date, team: string, key: string): Uuid {
  return derivedId(sentAt, 'told', team, key);
}

interface PreparedCall {
  readonly call: ToldCall;
  readonly row: JsonRow;
}

export class ToldCalls {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /**
   * Writes what is not there yet; durable when it resolves. One outcome a call, in order: what the store refuses for what it holds is an error in its
   * place (MILLRACE_DATA_REFUSED), and hurts no other. Throws what keeps the store from writing.
   */
  async record(calls: readonly ToldCall[]): Promise<readonly PromiseSettledResult<ToldOutcome>[]> {
    const outcomes = new Map<ToldCall, PromiseSettledResult<ToldOutcome>>();
    const prepared = calls.flatMap((call): PreparedCall[] => {
      try {
        return [{ call, row: jsonRow('tell', () => toldColumns(call)) }];
      } catch (reason) {
        outcomes.set(call, { status: 'rejected', reason });
        return [];
      }
    });
    if (prepared.length > 0)
      await writeSplittingRefused(
        prepared,
        (part) => this.#database.transaction((transaction) => write(transaction, part)),
        ({ call }, outcome) => outcomes.set(call, outcome),
      );
    // What the store could not do is no word on any call: whoever told them tells them again.
    for (const outcome of outcomes.values())
      if (outcome.status === 'rejected' && !isRefusedData(outcome.reason)) throw outcome.reason;
    return calls.map((call) => {
      const outcome = outcomes.get(call);
      invariant(outcome !== undefined, 'every call has an outcome');
      return outcome;
    });
  }

  /** Forgets keys of calls that were told of longer ago, the oldest first. Answers whether there may be more. */
  async forget(olderThanMs: number, limit: number): Promise<boolean> {
    const { affected } = await this.#database.query(forgetKeys, [olderThanMs, limit]);
    return affected === limit;
  }
}

async function write(
  transaction: SqlExecutor,
  prepared: readonly PreparedCall[],
): Promise<readonly ToldOutcome[]> {
  const first = new Map<string, Uuid>();
  const claims: JsonRow[] = [];
  for (const { call } of prepared)
    for (const key of call.keys) {
      const name = nameOf(call, key);
      if (first.has(name)) continue;
      first.set(name, call.id);
      claims.push(jsonRow('tell', () => ({ team: call.origin.team, key, call_id: call.id })));
    }
  const { rows } = await transaction.query<ClaimedRow>(claimKeys, [jsonRows(claims)]);
  const named = new Map(rows.map(({ team, key, call_id }) => [JSON.stringify([team, key]), call_id]));
  const winners: Uuid[] = [];
  const others = new Map<Uuid, Uuid>();
  for (const { call } of prepared) {
    const winner = winnerOf(call, named);
    // What it names may itself turn out to be another one.
    winners.push(others.get(winner) ?? winner);
    if (winner !== call.id) others.set(call.id, others.get(winner) ?? winner);
  }
  const passed = prepared.flatMap(({ call }, index) =>
    winners[index] === call.id
      ? []
      : call.keys
          .filter((key) => named.get(nameOf(call, key)) === call.id)
          .map((key) => jsonRow('tell', () => ({ team: call.origin.team, key, to_id: winners[index] }))),
  );
  if (passed.length > 0) await transaction.query(passKeysOn, [jsonRows(passed)]);
  const fresh = prepared.filter(({ call }, index) => winners[index] === call.id);
  const written = await insert(transaction, fresh);
  return prepared.map(({ call }, index) => {
    const callId = winners[index] ?? call.id;
    return callId === call.id && written.delete(callId)
      ? { kind: 'recorded', callId }
      : { kind: 'duplicate', callId };
  });
}

/** The calls that were written, with their usage records. */
async function insert(transaction: SqlExecutor, fresh: readonly PreparedCall[]): Promise<Set<Uuid>> {
  if (fresh.length === 0) return new Set();
  const distinct = new Map(fresh.map(({ call, row }) => [call.id, row]));
  const { rows } = await transaction.query<{ id: Uuid }>(insertToldCalls, [jsonRows([...distinct.values()])]);
  const ids = rows.map(({ id }) => id);
  if (ids.length > 0) await transaction.query(recordToldCalls, [ids]);
  return new Set(ids);
}

interface ClaimedRow {
  readonly team: string;
  readonly key: string;
  readonly call_id: Uuid;
}

/** The call that its keys name: another one where any of them does. */
function winnerOf(call: ToldCall, named: ReadonlyMap<string, Uuid>): Uuid {
  for (const key of call.keys) {
    const id = named.get(nameOf(call, key));
    if (id !== undefined && id !== call.id) return id;
  }
  return call.id;
}

function nameOf({ origin }: ToldCall, key: string): string {
  return JSON.stringify([origin.team, key]);
}

function toldColumns({ id, end, origin, sentAt, ...call }: ToldCall): Readonly<Record<string, unknown>> {
  return {
    ...settledColumns({ ...end, id, state: 'settled', answer: undefined }),
    origin: JSON.stringify(origin),
    step: call.step,
    provider: call.provider,
    model: call.model,
    operation: call.operation,
    request_kind: call.requestKind,
    via: call.via,
    sent_at: sentAt.toISOString(),
  };
}
