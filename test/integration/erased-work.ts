import type { PayloadStore } from '../../src/drivers/payload-store/payload-store.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';
import { usd } from '../../src/kernel/money.ts';
import { CallLedger } from '../../src/engine/ledger/call-ledger.ts';
import { renderOutcomeLine } from '../../src/engine/export/message-outcome.ts';
import {
  claimOf,
  someAdmission,
  someLedger,
  someReservation,
  someSettlement,
} from '../support/ledger-fixture.ts';

/* Work of a customer that is to be erased. */

export interface Work {
  readonly team: string;
  readonly customer: string;
  readonly secret: string;
  readonly cost: string;
  readonly day: string;
}

const sentAtSql = 'update millrace.calls set reserved_at = $2::timestamptz where id = $1::uuid';
const endedAtSql = 'update millrace.messages set finished_at = $2::timestamptz where id = $1::uuid';

/** One message of the work, dead or completed, with a paid answer, its failure, its records; and a call outside of messages. */
export async function doWork(
  { database, payloads }: { readonly database: SqlDatabase; readonly payloads: PayloadStore },
  { team, customer, secret, cost, day }: Work,
  isDead: boolean,
): Promise<string> {
  const messages = someLedger(database);
  const calls = new CallLedger({ database, clock: systemClock });
  const id = newId(new Date());
  const labels = { person: secret };
  const origin = { team, customer, feature: 'search', batch: 'nightly', labels };
  const large = Buffer.from(JSON.stringify({ text: `large ${secret} ${id}` }));
  const parts = { id, eventId: `${secret}-1-${id}`, item: `${secret}-item`, orderKey: secret, origin };
  const admission = someAdmission(parts, JSON.stringify({ text: secret }));
  await messages.admit(
    isDead ? { ...admission, body: { kind: 'payload', reference: await payloads.put(large) } } : admission,
  );
  const leased = await claimOf(database, messages, id, 60_000);
  if (leased.kind !== 'leased') throw new Error(leased.kind);
  const { fencingToken } = leased.message;
  for (const message of [{ id, fencingToken }, undefined]) {
    const call = newId(new Date());
    const reservation = someReservation({ id: call, message: message ?? undefined });
    await calls.reserve({
      ...reservation,
      ...(message === undefined ? { origin } : {}),
      parameters: `{"seed":"${secret}"}`,
    });
    await database.query({ name: 'test.sent_at', text: sentAtSql }, [call, day]);
    const answer =
      message === undefined
        ? { reference: await payloads.put(Buffer.from(`answer ${secret} ${call}`)) }
        : { json: JSON.stringify({ text: `answer ${secret}` }) };
    await calls.settle(
      someSettlement({
        id: call,
        costUsd: usd(cost),
        answer,
        rawUsage: `{"user":"${secret}"}`,
      }),
    );
  }
  if (isDead) {
    const outcomeLine = renderOutcomeLine({
      messageId: id,
      rootId: id,
      endedAt: new Date(day),
      origin,
      pipeline: 'default',
      stage: 'first',
      owner: 'platform',
      item: `${secret}-item`,
      outcome: 'dead_lettered',
      attempts: 1,
      deliveries: 1,
      durationMs: 1,
      waitMs: 1,
      ageMs: 1,
    });
    const detail = JSON.stringify({ message: `could not read ${secret}` });
    await messages.end({
      id,
      fencingToken,
      state: 'dead_lettered',
      code: 'MILLRACE_STAGE_FAILED',
      detail,
      outcomeLine,
    });
  } else {
    await messages.finish({
      id,
      fencingToken,
      result: JSON.stringify({ of: secret }),
      emissions: [],
      durationMs: 1,
    });
    await database.query({ name: 'test.ended_at', text: endedAtSql }, [id, day]);
  }
  return id;
}
