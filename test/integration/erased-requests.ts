import { ApiKeys } from '../../src/capabilities/access/api-keys.ts';
import type { PayloadStore } from '../../src/drivers/payload-store/payload-store.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newRequestId } from '../../src/messages/request-id.ts';
import type { Work } from './erased-work.ts';

/** A request that has ended, with its result and its key. */
export async function askFor(
  { database, payloads }: { readonly database: SqlDatabase; readonly payloads: PayloadStore },
  { team, customer, secret }: Pick<Work, 'team' | 'customer' | 'secret'>,
): Promise<void> {
  const id = newRequestId(new Date());
  const reference = await payloads.put(Buffer.from(`result ${secret} ${id}`));
  await database.query(
    {
      name: 'test.ask_for',
      text: `with asked as (
          insert into millrace.requests (id, team, customer, feature, labels, pipeline, type, version, actor, state, ended_at, error_message, result, result_ref, webhook)
          values ($1::uuid, $2, $3, 'search', $4, 'p', 't', 1, 'code', 'completed', now(), $4, $4, $5, $4)),
        held as (insert into millrace.held_payloads (holder, reference) values ($1::uuid, $5))
        insert into millrace.request_keys (team, key, request_id, fingerprint, expires_at) values ($2, $4 || $1::uuid::text, $1::uuid, 'f', now() + interval '1 day')`,
    },
    [id, team, customer, JSON.stringify({ person: secret }), reference],
  );
}

/** Makes an API key of the customer; answers a function that says whether it is good. */
export async function newKeyOf(database: SqlDatabase, customer: string): Promise<() => Promise<boolean>> {
  const keys = new ApiKeys({ database, clock: systemClock });
  const { key } = await keys.create({ name: 'own', scopes: ['requests:write'], team: 'blue', customer });
  return async () => (await keys.verify(key)) !== undefined;
}
