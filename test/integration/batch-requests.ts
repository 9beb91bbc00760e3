import type { Preparation } from './good-request.ts';
import type { TwoTeams } from './two-teams.ts';

const reason = 'for the test';

/** Good requests to the operations about batches; `unused` gives a name that nothing has, `after` a place in a list. */
export function batchRequests(
  two: TwoTeams,
  unused: () => string,
  after: string,
): Readonly<Record<string, Preparation>> {
  const batchOrder = () => ({
    name: unused(),
    team: 'amber',
    customer: 'c',
    feature: 'f',
    labels: { tier: 'gold' },
    pipeline: 'support',
    type: 'ticket.opened',
    version: 1,
    settings: {
      mode: 'online',
      chunk: { items: 100, tokens: 10_000, inFlight: 2 },
      quality: { validator: 'labels', sample: { size: 10, share: 50, stratify: 'customer' }, minimum: 90 },
      notify: { webhook: 'ops' },
      onInvalid: 'refuse',
    },
    priority: 1,
    deadline: '2099-01-01T00:00:00Z',
  });
  const newBatch = async () => ({ id: (await two.operate('post', '/v1/batches', batchOrder())).id });
  const filledBatch = async () => {
    const own = await newBatch();
    await two.fill(own.id, [{ data: { subject: 'amber' } }]);
    return own;
  };
  const runningBatch = async () => {
    const own = await filledBatch();
    await two.operate('post', `/v1/batches/${own.id}/start`, { reason });
    return own;
  };
  const pausedBatch = async () => {
    const own = await runningBatch();
    await two.operate('post', `/v1/batches/${own.id}/pause`, { reason });
    return own;
  };
  /** One of which an item has failed: nothing runs them here. */
  const failedBatch = async () => {
    const own = await pausedBatch();
    await two.fixture.database.execute(`
      update millrace.batch_items set state = 'failed', error_code = 'MILLRACE_STAGE_FAILED', error_message = 'no' where batch_id = '${own.id}';
      update millrace.batch_chunks set state = 'done', ended = items, failed = items where batch_id = '${own.id}';
      update millrace.batches set failed = items where id = '${own.id}';
      insert into millrace.batch_failures (batch_id, code, items) values ('${own.id}', 'MILLRACE_STAGE_FAILED', 1)`);
    return own;
  };
  return {
    createBatch: () => Promise.resolve([{ body: batchOrder() }]),
    uploadBatchItems: async () => {
      const path = await newBatch();
      const mediaType = 'application/x-ndjson';
      const item = {
        id: 'one',
        data: { subject: 'x' },
        customer: 'c',
        team: 'amber',
        labels: { tier: 'gold' },
      };
      const columns = { idColumn: 'id', customerColumn: 'who', teamColumn: 'team', omit: 'who' };
      return [
        { path, query: { form: 'item', types: 'text', ...columns }, body: item, mediaType },
        { path, query: {}, body: item, mediaType },
      ];
    },
    estimateBatch: async () => [{ path: await filledBatch() }],
    startBatch: async () => [
      { path: await filledBatch(), body: { dryRun: true, reason } },
      { path: await filledBatch(), body: { dryRun: false, force: true, reason } },
    ],
    discardBatch: async () => [{ path: await filledBatch(), body: { reason } }],
    listBatches: () =>
      Promise.resolve([{ query: { state: 'running', pipeline: 'support', limit: '20', after } }, {}]),
    getBatch: async () => [{ path: await filledBatch() }],
    listBatchChunks: async () => [{ path: await filledBatch(), query: { limit: '20', after: '0' } }],
    listBatchItems: async () => [
      { path: await filledBatch(), query: { state: 'waiting', check: 'failed', limit: '20', after: '0' } },
    ],
    getBatchOutput: async () => [
      { path: await runningBatch(), query: { partial: 'true', format: 'parquet' } },
      { path: await runningBatch(), query: { partial: 'true' } },
    ],
    getBatchFailedItems: async () => [{ path: await failedBatch() }],
    pauseBatch: async () => [{ path: await runningBatch(), body: { reason } }],
    resumeBatch: async () => [{ path: await pausedBatch(), body: { reason } }],
    cancelBatch: async () => [{ path: await runningBatch(), body: { reason } }],
    retryBatch: async () => [{ path: await failedBatch(), body: { reason } }],
    changeBatch: async () => [
      {
        path: await runningBatch(),
        body: { priority: 5, deadline: '2099-01-02T00:00:00Z', reason },
      },
    ],
  };
}
