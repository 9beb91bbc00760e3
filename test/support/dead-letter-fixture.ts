import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId, type Uuid } from '../../src/kernel/ids.ts';
import { usd } from '../../src/kernel/money.ts';
import { CallLedger } from '../../src/engine/ledger/call-ledger.ts';
import type { OperationRecord } from '../../src/engine/ledger/operation-record.ts';
import type { MessageLedger } from '../../src/engine/ledger/message-ledger.ts';
import type { LeasedMessage } from '../../src/engine/ledger/stored-message.ts';
import { claimOf, someAdmission, someLedger, someReservation, someSettlement } from './ledger-fixture.ts';
import { emptyTables } from './empty-tables.ts';

const leaseMs = 60_000;
const tables = ['messages', 'failures', 'calls', 'operator_actions', 'dead_letter_actions'] as const;

/** Messages that die, or succeed, after they have paid for steps, in a real ledger. */
export class DeadLetterFixture {
  readonly #database: SqlDatabase;
  readonly messages: MessageLedger;
  readonly calls: CallLedger;

  constructor(database: SqlDatabase) {
    this.#database = database;
    this.messages = someLedger(database);
    this.calls = new CallLedger({ database, clock: systemClock });
  }

  /** Empties everything that a test of dead letters looks at. */
  async clear(): Promise<void> {
    await emptyTables(this.#database, [
      'millrace.outbox',
      'millrace.pruned_totals',
      ...tables.map((table) => `millrace.${table}`),
    ]);
  }

  async admit(parts: Parameters<typeof someAdmission>[0] = {}): Promise<Uuid> {
    const admission = someAdmission(parts);
    await this.messages.admit(admission);
    return admission.envelope.id;
  }

  async lease(id: Uuid): Promise<LeasedMessage> {
    const outcome = await claimOf(this.#database, this.messages, id, leaseMs);
    if (outcome.kind !== 'leased') throw new Error(`not leased: ${outcome.kind}`);
    return outcome.message;
  }

  /** A call made under the message's present lease, settled at the price; without an answer it failed. */
  async pay(id: Uuid, fencingToken: number, step: string, cost: string, isAnswered = true): Promise<void> {
    const call = newId(new Date());
    await this.calls.reserve(someReservation({ id: call, message: { id, fencingToken }, step }));
    const failed = { outcome: 'error', answer: undefined } as const;
    await this.calls.settle(someSettlement({ id: call, costUsd: usd(cost), ...(isAnswered ? {} : failed) }));
  }

  /** Gives the message up under its present lease. */
  async end(
    id: Uuid,
    fencingToken: number,
    code = 'MILLRACE_STAGE_FAILED',
    message = 'the template has no end',
  ): Promise<void> {
    const detail = JSON.stringify({ chain: [{ message }] });
    const end = { id, fencingToken, state: 'dead_lettered', code, detail, outcomeLine: '{}' } as const;
    if (!(await this.messages.end(end))) throw new Error('the lease had passed on');
  }

  /** A message that dies in its first attempt. */
  async dead(parts: Parameters<typeof someAdmission>[0] = {}, code?: string): Promise<Uuid> {
    const id = await this.admit(parts);
    await this.end(id, (await this.lease(id)).fencingToken, code);
    return id;
  }

  operation(reason = 'mended'): OperationRecord {
    return {
      id: newId(new Date()),
      actor: 'ann',
      reason,
      target: 'dead letters',
      detail: { how: 'test' },
    };
  }

  /** What stands in the audit, oldest first. */
  async audit(): Promise<readonly Record<string, unknown>[]> {
    const { rows } = await this.#database.query({
      name: 'test.audit',
      text: 'select id, actor, action, target, affected, detail, reason from millrace.operator_actions order by at, id',
    });
    return rows;
  }

  /** Every row, to be compared with itself later. */
  async dump(): Promise<string> {
    const dumps = tables.map((table) =>
      this.#database.query({
        name: `test.dump_${table}`,
        text: `select * from millrace.${table} order by 1, 2`,
      }),
    );
    return JSON.stringify(await Promise.all(dumps));
  }
}
