import { usd } from '../../kernel/money.ts';
import { renderTable, roundedUsd, type TableColumn } from '../../terminal/text-table.ts';
import type { RequestDocument, RequestList } from './state/request-document.ts';

/* Requests for the terminal. */

const left = (title: string): TableColumn => ({ title });

export function requestListText({ requests, next }: RequestList): string {
  if (requests.length === 0 && next === undefined) return 'There are no such requests.';
  const columns = [
    ...['request', 'team', 'customer', 'pipeline', 'state'].map(left),
    { title: 'USD', align: 'right' } as const,
    ...['accepted', 'why'].map(left),
  ];
  const rows = requests.map(({ id, origin, pipeline, state, cost, createdAt, error }) => [
    id,
    origin.team,
    origin.customer,
    pipeline,
    state,
    cost === undefined ? '' : roundedUsd(usd(cost.usd)),
    createdAt,
    error?.code ?? '',
  ]);
  const more = next === undefined ? '' : `\n\nThere are more: --after ${next}`;
  return `${renderTable(columns, rows)}${more}`;
}

export function requestText(request: RequestDocument): string {
  const { id, state, pipeline, origin, stage, openMessages, createdAt, endedAt, error, cost } = request;
  const { team, customer, feature } = origin;
  const unknown = cost.unsettledCalls + cost.unpricedCalls;
  const lines: readonly (readonly [string, string | undefined])[] = [
    ['request', id],
    ['state', stage === undefined ? state : `${state}, at ${stage} (${openMessages} messages open)`],
    ['pipeline', pipeline],
    ['origin', `${team} / ${customer} / ${feature}`],
    ['accepted', createdAt],
    ['ended', endedAt],
    [
      'cost',
      `${cost.usd} USD, ${cost.calls} calls${unknown === 0 ? '' : `, of which ${unknown} are not in it`}`,
    ],
    ['error', error && `${error.code}: ${error.message}`],
    [
      'retry',
      error && (error.retryable ? 'the same may succeed as a new request' : 'the same would fail again'),
    ],
    ['result', state === 'completed' ? JSON.stringify(request.result, undefined, 2) : undefined],
  ];
  return lines
    .flatMap(([name, text]) => (text === undefined ? [] : [`${name.padEnd(10)}${text}`]))
    .join('\n');
}
