import { sumUsd, formatUsd, usd } from '../../src/kernel/money.ts';
import type { BatchAccount } from './batch-answers.ts';
import type { ExpectedItem, ItemRow } from './batch-evidence.ts';
import { originOfItem, type PlannedBatch, type PlannedItem, plannedBatches } from './batch-workload.ts';
import type { CallEvidence, Evidence, MessageEvidence } from './evidence.ts';
import { bill, call, inherited, sound, usage } from './sound-run.ts';
import { causeOf } from './workload.ts';

/* The evidence of two small batches that nobody disturbed, one of them at the providers: what tests put out of order. */

const messages = 20;
/** One whose items the provider refuses none of. */
const seed = Array.from({ length: 100 }, (_, at) => at).find((candidate) =>
  plannedBatches(candidate, messages).every(({ items }) => items.every(({ fate }) => fate !== 'refused')),
);
if (seed === undefined) throw new Error('There is a run without refused items');
export const batches = plannedBatches(seed, messages);
const prices = { sort: '0.002', reply: '0.004' } as const;
const steps = ['sort', 'reply'] as const;
type Step = (typeof steps)[number];

const runItems = batches.flatMap((batch) =>
  batch.items.filter(({ fate }) => fate === 'sound').map((item) => ({ batch, item })),
);
/** The first item of each batch that can succeed. */
export const [online = '', batched = ''] = batches.map(
  ({ items }) => items.find(({ fate }) => fate === 'sound')?.id ?? '',
);

const answerOf = (item: PlannedItem, step: Step): string => `the ${step} of ${item.id}`;
const providerBatchId = (step: Step): string => `00000000-0000-0000-0000-00000000000${steps.indexOf(step)}`;
const billedOf = ({ mode }: PlannedBatch, step: Step): string =>
  formatUsd(mode === 'provider' ? usd(prices[step]).dividedBy(2) : usd(prices[step]));

function messagesOf({ batch, item }: (typeof runItems)[number]): readonly MessageEvidence[] {
  const { team, customer, feature, batch: name = '' } = originOfItem(batch, item);
  const base = {
    ...inherited,
    team,
    customer,
    feature,
    batch: name,
    labels: null,
    root_id: item.id,
    fencing_token: 1,
  };
  const data = { key: item.key, index: 0, odd: 'none' };
  return [
    {
      ...base,
      id: item.id,
      parent_id: null,
      event_id: item.id,
      type: 'chaos.letter',
      stage: 'sort',
      result: '{}',
      data,
    },
    {
      ...base,
      id: `${item.id}/reply`,
      parent_id: item.id,
      type: 'chaos.sorted',
      stage: 'reply',
      result: '{}',
      data,
    },
    {
      ...base,
      id: `${item.id}/out`,
      parent_id: `${item.id}/reply`,
      type: 'chaos.replied',
      stage: '',
      result: null,
      data,
    },
  ];
}

function callsOf({ batch, item }: (typeof runItems)[number]): readonly CallEvidence[] {
  return steps.map((step) =>
    call(`${item.id}:${step}`, {
      message_id: step === 'sort' ? item.id : `${item.id}/reply`,
      fencing_token: 1,
      step,
      request_kind: batch.mode === 'provider' ? 'batch' : 'responses',
      cost_usd: billedOf(batch, step),
    }),
  );
}

const itemRows = batches.flatMap((batch) =>
  batch.items.map(({ id, position, fate }): ItemRow => ({
    batch: batch.name,
    position,
    item_id: id,
    message_id: id,
    state: fate === 'sound' ? 'succeeded' : 'skipped',
    error_code: null,
    cost_usd: fate === 'sound' ? formatUsd(sumUsd(steps.map((step) => usd(billedOf(batch, step))))) : null,
  })),
);
const calls = runItems.flatMap((one) => callsOf(one));
const entries = runItems.flatMap(({ batch, item }) =>
  steps.map((step, at) => ({
    ...bill(
      0,
      `${item.id}:${step}`,
      step === 'sort' ? item.id : `${item.id}/reply`,
      step,
      billedOf(batch, step),
    ),
    requestHash: `${item.id}?${step}`,
    ...(batch.mode === 'provider'
      ? { batch: { id: `batch_${step}`, customId: `${providerBatchId(step)}-${at}` } }
      : {}),
  })),
);
const batchedItems = runItems.filter(({ batch }) => batch.mode === 'provider');

function expectedOf(item: PlannedItem): ExpectedItem {
  const answer = (step: Step): ExpectedItem['sort'] => ({
    texts: [answerOf(item, step)],
    costUsd: prices[step],
    requestHash: `${item.id}?${step}`,
  });
  return { sort: answer('sort'), replies: [answer('reply')] };
}

/** The output as it has to be, composed by hand. */
export function outputOf(batch: PlannedBatch): string {
  return batch.items
    .map(({ id, position, key, fate }, at) => {
      if (fate !== 'sound')
        return `{"id":"${id}","position":${position},"status":"skipped","outputs":null,"costUsd":"0"}\n`;
      const text = answerOf(batch.items[at] as PlannedItem, 'reply');
      const said = `{"key":"${key}","text":"${text}","index":0,"cause":"${causeOf(text)}"}`;
      return `{"id":"${id}","position":${position},"status":"succeeded","outputs":[${said}],"costUsd":"0.006"}\n`;
    })
    .join('');
}

function accountOf(batch: PlannedBatch): BatchAccount {
  const succeeded = batch.items.filter(({ fate }) => fate === 'sound').length;
  const ends = { succeeded, failed: 0, expired: 0, cancelled: 0, skipped: batch.items.length - succeeded };
  const rows = itemRows.filter((row) => row.batch === batch.name);
  const costUsd = formatUsd(sumUsd(rows.map(({ cost_usd: cost }) => usd(cost ?? '0'))));
  return {
    state: 'succeeded',
    items: { total: batch.items.length, open: 0, ...ends },
    costUsd,
    unpriced: 0,
    report: {
      isFinal: true,
      isComplete: true,
      items: ends,
      totalUsd: costUsd,
      wasteUsd: '0',
      calls: succeeded * steps.length,
      unsettledCalls: 0,
      estimatedCalls: 0,
      openCalls: 0,
      openUpperBoundUsd: '0',
    },
  };
}

export const soundBatches: Evidence = {
  ...sound,
  seed,
  messages: runItems.flatMap((one) => messagesOf(one)),
  calls,
  bill: entries,
  usage: calls.map(({ id, message_id: messageId, cost_usd: cost }) => ({
    ...(usage[0] as Evidence['usage'][number]),
    call_id: id,
    message_id: messageId ?? '',
    cost_usd: cost ?? '0',
  })),
  batches: {
    rows: batches.map((batch) => {
      const { items, costUsd } = accountOf(batch);
      const { total, succeeded, failed, expired, cancelled, skipped } = items;
      const counts = { succeeded, failed, expired, cancelled, skipped };
      return {
        id: batch.name,
        name: batch.name,
        state: 'succeeded',
        items: total,
        ...counts,
        cost_usd: costUsd,
      };
    }),
    items: itemRows,
    changes: batches.flatMap(({ name: batch, items }) => [
      ...items
        .filter(({ fate }) => fate === 'sound')
        .map(({ position }) => ({ batch, position, from_state: 'running', to_state: 'succeeded' })),
      { batch, position: null, from_state: 'running', to_state: 'succeeded' },
    ]),
    providerBatches: steps.map((step) => ({
      id: providerBatchId(step),
      account: step,
      state: 'closed',
      provider_id: `batch_${step}`,
      requests: batchedItems.length,
    })),
    providerRequests: steps.flatMap((step) =>
      batchedItems.map(({ item }, place) => ({
        batch_id: providerBatchId(step),
        place,
        request_id: `${item.id}:${step}`,
        outcome: 'succeeded',
      })),
    ),
    putOff: 0,
  },
  batchRun: {
    messages,
    steered: [],
    readings: batches.map((batch) => ({
      batch: batch.index,
      account: accountOf(batch),
      outputs: [outputOf(batch), outputOf(batch)],
    })),
    simulated: steps.map((step) => ({ id: `batch_${step}`, requests: batchedItems.length })),
    expected: Object.fromEntries(runItems.map(({ item }) => [item.id, expectedOf(item)])),
  },
};
