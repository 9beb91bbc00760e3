import { randomUUID } from 'node:crypto';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { EventWaits } from '../../src/engine/ledger/event-waits.ts';
import { someAdmission, someLedger } from '../support/ledger-fixture.ts';
import { newEventToken } from '../../src/engine/pipeline/event-wait-token.ts';

/** A ticket of the team that waits to be told, with its token. */
export async function writeWait(
  database: SqlDatabase,
  team: string,
): Promise<{ readonly id: string; readonly token: string }> {
  const admission = someAdmission({
    type: 'ticket.opened',
    stage: 'triage',
    pipeline: 'support',
    origin: { team, customer: `${team}-customer`, feature: `${team}-feature` },
    item: randomUUID(),
  });
  const { id } = admission.envelope;
  await someLedger(database).admit(admission);
  await database.query(
    {
      name: 'test.wait',
      text: `with waiting as (
          update millrace.messages set parked_for = 'event', waits_for = 'event', body = 'null', sweep_at = clock_timestamp() + interval '1 day'
          where id = $1::uuid returning id)
        insert into millrace.event_waits (id, note, expires_at) select id, $2, clock_timestamp() + interval '1 day' from waiting`,
    },
    [id, `${team} is asked`],
  );
  const token = newEventToken();
  await new EventWaits(database).issue(token, id);
  return { id, token };
}
