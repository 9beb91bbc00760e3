import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { newId, type Uuid } from '../../src/kernel/ids.ts';
import { batchId } from './moded-batches.ts';

/** Writes a batch of the team with a provider's batch that waits for an operator. Answers the id of the latter. */
export async function writeUnresolvedBatch(database: SqlDatabase, team: string): Promise<Uuid> {
  const id = newId(new Date());
  const name = `${team}-${id}`;
  await database.query(
    {
      name: 'test.write-batch',
      text: `insert into millrace.batches (id, team, name, customer, feature, pipeline, type, version, settings, state, actor)
        values ($1::uuid, $2, $3, $2 || '-customer', $2 || '-feature', $2 || '-pipeline', 'item', 1, '{"mode":"provider"}', 'running', $2)`,
    },
    [batchId(team, name), team, name],
  );
  await database.query(
    {
      name: 'test.write-provider-batch',
      text: `with written as (
          insert into millrace.provider_batches (id, account, model, endpoint, state, requests, bytes, estimated_tokens, provider_id,
            unresolved, next_at, planned_at)
          values ($1::uuid, $2 || '-account', $2 || '-model', '/v1/responses', 'unresolved', 3, 100, 30, $2 || '-' || $1, 'gone',
            clock_timestamp(), clock_timestamp()) returning id)
        insert into millrace.provider_batch_owners (provider_batch, batch_id) select id, $3::uuid from written`,
    },
    [id, team, batchId(team, name)],
  );
  return id;
}
