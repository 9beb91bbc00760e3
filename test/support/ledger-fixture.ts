import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';
import { CallLedger, type SettledCall, type Reservation } from '../../src/engine/ledger/call-ledger.ts';
import type { LeasedMessage } from '../../src/engine/ledger/stored-message.ts';
import { usd } from '../../src/kernel/money.ts';
import type { ClaimOutcome } from '../../src/engine/ledger/claims.ts';
import { type ExportTarget, lineOfRecord } from '../../src/engine/export/export-ledger.ts';
import { SweepLedger } from '../../src/engine/ledger/sweep-ledger.ts';
import { type Admission, type Emission, MessageLedger } from '../../src/engine/ledger/message-ledger.ts';
import { emptyTables } from './empty-tables.ts';

/** A message as the tests of the ledger admit it; parts may be given. */
export function someAdmission(parts: Partial<Admission['envelope']> = {}, json = '{"n":1}'): Admission {
  const id = parts.id ?? newId(new Date());
  return {
    envelope: {
      id,
      source: 'test',
      eventId: id,
      type: 'thing.happened',
      version: 1,
      pipeline: 'default',
      stage: 'first',
      owner: 'platform',
      lane: 'standard',
      origin: { team: 'blue', customer: 'acme', feature: 'search' },
      item: id,
      traceParent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
      ...parts,
    },
    body: { kind: 'inline', json },
    bodyBytes: json.length,
  };
}

export function someLedger(database: SqlDatabase, worker = 'worker-1'): MessageLedger {
  return new MessageLedger({ database, clock: systemClock, worker });
}

export function someReservation(
  parts: Partial<Reservation> & Pick<Reservation, 'id' | 'message'>,
): Reservation {
  return {
    origin: undefined,
    step: 'answer',
    ordinal: 0,
    attempt: 1,
    provider: 'openai',
    model: 'gpt-5-mini',
    operation: 'chat',
    tier: 'default',
    requestKind: 'single',
    requestDigest: 'digest',
    upperBoundUsd: usd('0.5'),
    ...parts,
  };
}

export function someSettlement(parts: Partial<SettledCall> & Pick<SettledCall, 'id'>): SettledCall {
  return {
    state: 'settled',
    outcome: 'ok',
    settlement: 'reported',
    errorType: undefined,
    answeredModel: 'gpt-5-mini-2025-08-07',
    tier: 'default',
    providerRequestId: 'req_1',
    tokens: { uncached_input: 10, text_output: 5 },
    rawUsage: '{}',
    costUsd: usd('0.000012345678901234'),
    upperBoundUsd: undefined,
    priceReference: 'genai:openai/gpt-5-mini@always',
    priceCatalogue: 'genai',
    wasteReason: undefined,
    durationMs: 12,
    firstChunkMs: undefined,
    answer: { json: '{"text":"hello"}' },
    ...parts,
  };
}

export const leaseMs = 30_000;

/** A claim that can get no other message than this one: all others wait meanwhile. */
export async function claimOf(
  database: SqlDatabase,
  ledger: MessageLedger,
  id: string,
  leaseMs: number,
): Promise<ClaimOutcome> {
  const outcome = claiming.then(() => claimAlone(database, ledger, id, leaseMs));
  claiming = outcome.catch(() => undefined);
  return await outcome;
}

/** One after another: each sets the others' messages aside for a moment. */
let claiming: Promise<unknown> = Promise.resolve();

async function claimAlone(
  database: SqlDatabase,
  ledger: MessageLedger,
  id: string,
  leaseMs: number,
): Promise<ClaimOutcome> {
  const { rows } = await database.query<{ stage: string }>(
    {
      name: 'test.leave_one',
      text: `with others as (update millrace.messages set parked_for = 'test'
          where state = 'pending' and parked_for is null and id <> $1::uuid)
        select stage from millrace.messages where id = $1::uuid`,
    },
    [id],
  );
  const outcome = await ledger.claim({ stage: rows[0]?.stage ?? 'first', leaseMs, about: id });
  await database.execute(`update millrace.messages set parked_for = null where parked_for = 'test'`);
  return outcome;
}

/** The records that wait for the column store, in their order, as an export would render them. */
export async function outboxLines(database: SqlDatabase, target: ExportTarget): Promise<readonly string[]> {
  const { rows } = await database.query<{ line: string }>(
    {
      name: 'test.outbox',
      text: `select ${lineOfRecord} as line from millrace.outbox o where o.target = $1 order by o.seq`,
    },
    [target],
  );
  return rows.map(({ line }) => line);
}

/** What a test of the ledger begins without. */
const emptiedTables = [
  'millrace.join_branches',
  'millrace.joins',
  'millrace.messages',
  'millrace.failures',
  'millrace.calls',
  'millrace.outbox',
  'millrace.export_batches',
  'millrace.pruned_totals',
  'millrace.role_leases',
  'millrace.blocks',
  'millrace.stage_ends',
  'millrace.quota_windows',
  'millrace.quotas',
  'millrace.quota_alerts',
  'millrace.payload_removals',
];

/** An empty ledger with the few things that its tests do over and over. */
export class LedgerHarness {
  readonly database: SqlDatabase;
  readonly ledger: MessageLedger;
  readonly calls: CallLedger;

  private constructor(database: SqlDatabase) {
    this.database = database;
    this.ledger = someLedger(database);
    this.calls = new CallLedger({ database, clock: systemClock });
  }

  static async begin(database: SqlDatabase): Promise<LedgerHarness> {
    await emptyTables(database, emptiedTables);
    return new LedgerHarness(database);
  }

  async admitted(stage = 'first', id = newId(new Date())): Promise<string> {
    const admission = someAdmission({ stage, id });
    const outcome = await this.ledger.admit(admission);
    if (outcome !== 'admitted') throw new Error(`not admitted: ${outcome}`);
    return admission.envelope.id;
  }

  async leased(id: string, by: MessageLedger = this.ledger): Promise<LeasedMessage> {
    const outcome = await claimOf(this.database, by, id, leaseMs);
    if (outcome.kind !== 'leased') throw new Error(`not leased: ${outcome.kind}`);
    return outcome.message;
  }

  /** Every lease runs out, and the sweeper sees it. */
  async expireLeases(): Promise<void> {
    await this.database.execute(
      `update millrace.messages set lease_until = clock_timestamp() - interval '1 ms', sweep_at = clock_timestamp() - interval '1 ms'
       where state = 'leased'`,
    );
    await new SweepLedger(this.database).sweep(1000);
  }

  async stateOf(id: string): Promise<StoredState | undefined> {
    const { rows } = await this.database.query<StoredState>(
      {
        name: 'test.state',
        text: 'select state, fencing_token, attempts, result from millrace.messages where id = $1::uuid',
      },
      [id],
    );
    return rows[0];
  }

  async outbox(target: ExportTarget): Promise<readonly string[]> {
    return await outboxLines(this.database, target);
  }

  emission(id: string, stage = 'second'): Emission {
    return {
      id,
      source: 'millrace/default/first',
      type: 'thing.done',
      version: 1,
      pipeline: 'default',
      stage,
      owner: 'platform',
      lane: 'standard',
      traceParent: `00-${'a'.repeat(32)}-${'c'.repeat(16)}-01`,
      body: { kind: 'inline', json: '{}' },
      bodyBytes: 2,
    };
  }
}

/** A message's row, as far as the tests look at it. */
interface StoredState {
  readonly state: string;
  readonly fencing_token: number;
  readonly attempts: number;
  readonly result: string | null;
}
