import { formatUsd, sumUsd, usd } from '../../src/kernel/money.ts';
import type { CallEvidence, Evidence, HistoryEvidence, MessageEvidence } from './evidence.ts';
import { digestOfOdd } from './odd-input.ts';
import { admittedAt, isGuilty } from './workload.ts';

/* The evidence of one small, sound run, one of whose workers died: what tests put out of order. */

export const seed = 1;
const found = Array.from({ length: 100 }, (_, index) => admittedAt(seed, index)).find(
  ({ kind, data }) => kind === 'report' && data.parts === 1 && !isGuilty(data.key),
);
if (found === undefined) throw new Error('The workload has a report of one section');
export const report = found;
const { team, customer, feature, batch = '' } = report.origin;
export const origin = { team, customer, feature, batch };
export const odd = digestOfOdd(report.data.odd);
export const labels = report.origin.labels === undefined ? null : JSON.stringify(report.origin.labels);

export const inherited = {
  ...origin,
  labels,
  root_id: 'root',
  event_id: 'x',
  state: 'completed',
  error_code: null,
  version: 1,
  lane: 'standard',
  parked_for: null,
  order_key: null,
  order_place: null,
  branch_id: null,
  join_id: null,
  attempts: 0,
} as const;
export const messages: readonly MessageEvidence[] = [
  {
    ...inherited,
    id: 'root',
    parent_id: null,
    event_id: report.eventId,
    type: 'chaos.report',
    stage: 'outline',
    fencing_token: 1,
    result: JSON.stringify({ cause: 'a', odd }),
    data: { key: 'r', parts: 1, odd },
  },
  {
    ...inherited,
    id: 'section',
    parent_id: 'root',
    type: 'chaos.section',
    stage: 'write',
    fencing_token: 2,
    result: JSON.stringify({ cause: 'b', odd }),
    data: { key: 'r/0', index: 0, cause: 'a', odd },
  },
  {
    ...inherited,
    id: 'written',
    parent_id: 'section',
    type: 'chaos.written',
    stage: '',
    fencing_token: 0,
    result: null,
    data: { key: 'r/0', index: 0, cause: 'b', odd },
  },
];

export const change = (
  of: Partial<HistoryEvidence> &
    Pick<HistoryEvidence, 'message_id' | 'at_ms' | 'to_state' | 'to_fencing_token'>,
): HistoryEvidence => ({
  from_state: null,
  from_fencing_token: null,
  held_by: null,
  taken_by: null,
  held_until_ms: null,
  leased_ms: null,
  client: null,
  available_ms: of.at_ms,
  parked_for: null,
  xact: `${of.message_id} ${of.at_ms}`,
  ...of,
});

export const lease = (id: string, fencingToken: number, at: number, from: string): HistoryEvidence =>
  change({
    message_id: id,
    at_ms: at,
    from_state: from,
    to_state: 'leased',
    from_fencing_token: fencingToken - 1,
    to_fencing_token: fencingToken,
    taken_by: `worker-${fencingToken}`,
    leased_ms: at,
  });

/** The sweeper takes back what its holder let run out. */
export const takenBack = (id: string, fencingToken: number, at: number): HistoryEvidence =>
  change({
    message_id: id,
    at_ms: at,
    from_state: 'leased',
    to_state: 'pending',
    from_fencing_token: fencingToken,
    to_fencing_token: fencingToken,
    held_by: `worker-${fencingToken}`,
    held_until_ms: at - 50,
    client: 'millrace maintenance',
  });

export const done = (id: string, fencingToken: number, at: number): HistoryEvidence =>
  change({
    message_id: id,
    at_ms: at,
    from_state: 'leased',
    to_state: 'completed',
    from_fencing_token: fencingToken,
    to_fencing_token: fencingToken,
    held_by: `worker-${fencingToken}`,
    client: `millrace worker-${fencingToken}`,
  });

export const history: readonly HistoryEvidence[] = [
  change({ message_id: 'root', at_ms: 1000, to_state: 'pending', to_fencing_token: 0 }),
  lease('root', 1, 1100, 'pending'),
  done('root', 1, 1400),
  change({ message_id: 'section', at_ms: 1400, to_state: 'pending', to_fencing_token: 0 }),
  lease('section', 1, 1500, 'pending'),
  takenBack('section', 1, 2950),
  lease('section', 2, 3000, 'pending'),
  done('section', 2, 3400),
  change({ message_id: 'written', at_ms: 3400, to_state: 'completed', to_fencing_token: 0 }),
];

export const settled = {
  state: 'settled',
  outcome: 'ok',
  settlement: 'reported',
  has_answer: true,
  is_suspect: false,
} as const;
export const call = (id: string, of: Partial<CallEvidence>): CallEvidence => ({
  id,
  message_id: 'section',
  fencing_token: 2,
  provider: 'openai',
  model: 'm',
  fallback_from: null,
  step: 'write',
  ordinal: 1,
  attempt: 1,
  request_kind: 'responses',
  waste_reason: null,
  ...settled,
  reserved_ms: 3100,
  settled_ms: 3200,
  cost_usd: '0.002',
  upper_bound_usd: null,
  ...of,
});

export const calls: readonly CallEvidence[] = [
  call('c1', {
    message_id: 'root',
    fencing_token: 1,
    step: 'plan',
    reserved_ms: 1150,
    settled_ms: 1250,
    cost_usd: '0.001',
  }),
  call('c2', {
    fencing_token: 1,
    state: 'unsettled',
    settlement: 'unsettled',
    outcome: 'unsettled',
    has_answer: false,
    reserved_ms: 1600,
    settled_ms: 3500,
    cost_usd: null,
    upper_bound_usd: '0.01',
  }),
  call('c3', {}),
];

export const bill = (
  n: number,
  callId: string,
  messageId: string,
  step: string,
  costUsd: string,
): Evidence['bill'][number] => ({
  n,
  requestId: `r${n}`,
  at: '2026-01-01T00:00:00.000Z',
  provider: 'openai',
  endpoint: 'responses',
  modelAsked: 'm',
  modelAnswered: 'm',
  tier: 'default',
  tokens: {
    uncached_input: 1,
    cache_read: 0,
    cache_write_5m: 0,
    cache_write_1h: 0,
    text_output: 1,
    reasoning: 0,
  },
  costUsd,
  usageReported: true,
  fault: null,
  requestHash: step,
  callId,
  messageId,
  step,
});

export const usage = calls.map((made) => ({
  ...origin,
  call_id: made.id,
  message_id: made.message_id ?? '',
  records: 1,
  distinct_records: 1,
  calls: 1,
  cost_usd: made.cost_usd ?? '0',
  upper_bound_usd: made.upper_bound_usd ?? '0',
  unsettled: Number(made.state === 'unsettled'),
  estimated: 0,
  unpriced: 0,
  suspect: 0,
}));

export const sound: Evidence = {
  seed,
  messages,
  branches: [],
  calls,
  failures: [],
  history,
  usage,
  outcomes: [
    { ...origin, message_id: 'root', outcome: 'completed', deliveries: 1 },
    { ...origin, message_id: 'section', outcome: 'completed', deliveries: 2 },
  ],
  replays: [],
  batches: { rows: [], items: [], changes: [], providerBatches: [], providerRequests: [], putOff: 0 },
  rollups: [{ table: 'spend_by_hour', calls: 3, cost_usd: '0.003' }],
  unexported: { records: 0, batches: 0 },
  bill: [
    bill(0, 'c1', 'root', 'plan', '0.001'),
    bill(1, 'c2', 'section', 'write', '0.0021'),
    bill(2, 'c3', 'section', 'write', '0.002'),
  ],
  acknowledged: new Set([report.index]),
  sent: new Set([report.index]),
  refusals: { tried: 3, wrong: [] },
  hasClients: true,
  crashes: [],
  defects: [],
  left: { pauses: 0, reserved_usd: '0' },
  pauses: [],
  cuts: [],
  outages: [{ fromMs: 1000, toMs: 20_000, waiting: 5, caughtUpMs: 300 }],
  reports: {
    answered: 3,
    refused: { MILLRACE_COLUMN_STORE_UNAVAILABLE: 1 },
    longestMs: 20,
    last: { groups: [{ customer: origin.customer, calls: 3, costUsd: '0.003' }], suspectCalls: 0 },
  },
  requests: [],
  limits: {
    models: { 'openai/m': { requestsPerMinute: 60, tokensPerMinute: 1000 } },
    retries: { floor: 1, share: 0.5 },
    scarceUsd: '1',
  },
  budgets: { looks: 3, faults: [] },
};

/** What an attempt at the section left of its failure. */
export const failure = (
  detail: string,
  fencingToken = 1,
  code = 'MILLRACE_STAGE_FAILED',
): Evidence['failures'][number] => ({
  message_id: 'section',
  fencing_token: fencingToken,
  code,
  detail,
});

/** The run with a provider that told this about the usage of the third call, and what was made of it. */
export function told(
  fault: Evidence['bill'][number]['fault'],
  ledger: Partial<CallEvidence>,
  columns: Partial<Evidence['usage'][number]>,
): Partial<Evidence> {
  const settledCalls = calls.map((made) => (made.id === 'c3' ? { ...made, ...ledger } : made));
  const records = usage.map((record) => {
    const made = settledCalls.find(({ id }) => id === record.call_id);
    if (made?.id !== 'c3') return record;
    return {
      ...record,
      cost_usd: made.cost_usd ?? '0',
      upper_bound_usd: made.upper_bound_usd ?? '0',
      estimated: Number(made.settlement === 'estimated'),
      ...columns,
    };
  });
  const costUsd = sumUsd(records.map((record) => usd(record.cost_usd)));
  return {
    calls: settledCalls,
    usage: records,
    rollups: [{ table: 'spend_by_hour', calls: 3, cost_usd: formatUsd(costUsd) }],
    reports: {
      ...sound.reports,
      last: {
        groups: [{ customer: origin.customer, calls: 3, costUsd: formatUsd(costUsd) }],
        suspectCalls: records.reduce((sum, { suspect }) => sum + suspect, 0),
      },
    },
    bill: sound.bill.map((entry) => (entry.callId === 'c3' ? { ...entry, fault } : entry)),
  };
}
