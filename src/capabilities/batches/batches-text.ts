import { usd } from '../../kernel/money.ts';
import { formatCount, renderTable, roundedUsd, type TableColumn } from '../../terminal/text-table.ts';
import type { BatchChunks, BatchItems, BatchList } from './run/run-documents.ts';

/* Batches, their chunks and their items for the terminal. */

const left = (title: string): TableColumn => ({ title });
const right = (title: string): TableColumn => ({ title, align: 'right' });

export function listText({ batches, next }: BatchList): string {
  if (batches.length === 0) return 'There are no such batches.';
  const columns = [
    ...['batch', 'team', 'pipeline', 'state'].map(left),
    ...['items', 'succeeded', 'failed', 'open', 'USD'].map(right),
    left('made'),
  ];
  const rows = batches.map(({ name, origin, pipeline, state, items, costUsd, createdAt }) => [
    name,
    origin.team,
    pipeline,
    state,
    formatCount(items.total),
    formatCount(items.succeeded),
    formatCount(items.failed),
    formatCount(items.open),
    roundedUsd(usd(costUsd)),
    createdAt,
  ]);
  return withMore(renderTable(columns, rows), next);
}

/** "1–47 done, 48 failed, 49–200 waiting", and what of it needs an eye. */
export function chunksText({ chunks, next }: BatchChunks): string {
  if (chunks.length === 0) return 'There are no chunks.';
  const ranges = chunks.map(({ first, last, state }) =>
    first === last ? `${first} ${state}` : `${first}–${last} ${state}`,
  );
  const troubled = chunks.filter(({ failed, cause }) => failed > 0 || cause !== undefined);
  const rows = troubled.map(({ first, last, state, items, ended, failed, attempts, nextAt, cause }) => [
    first === last ? String(first) : `${first}–${last}`,
    state,
    formatCount(items),
    formatCount(ended),
    formatCount(failed),
    formatCount(attempts),
    nextAt ?? '',
    cause === undefined ? '' : `${cause.code}: ${cause.detail}`,
  ]);
  const columns = [
    ...['chunks', 'state'].map(left),
    ...['items', 'ended', 'failed', 'attempts'].map(right),
    ...['again at', 'why'].map(left),
  ];
  const table = rows.length === 0 ? '' : `\n\n${renderTable(columns, rows)}`;
  return withMore(`chunks    ${ranges.join(', ')}${table}`, next);
}

/** Items of chunks that are begun which have not ended. */
export function itemsUnderWay(chunks: BatchChunks['chunks']): number {
  return chunks
    .filter(({ state }) => state === 'running')
    .reduce((count, { items, ended }) => count + items - ended, 0);
}

export function itemsText({ items, next }: BatchItems): string {
  if (items.length === 0) return 'There are no such items.';
  const columns = [right('item'), ...['id', 'state', 'error'].map(left), ...['attempts', 'USD'].map(right)];
  const rows = items.map(({ position, id, state, error, attempts, costUsd }) => [
    formatCount(position),
    id,
    state,
    error === undefined ? '' : `${error.code}: ${firstLine(error.message)}`,
    attempts === undefined ? '' : formatCount(attempts),
    costUsd === undefined ? '' : costUsd === null ? 'no price' : roundedUsd(usd(costUsd)),
  ]);
  return withMore(renderTable(columns, rows), next);
}

const maxReasonCharacters = 100;

function firstLine(text: string): string {
  const line = text.split('\n')[0] ?? '';
  return line.length > maxReasonCharacters ? `${line.slice(0, maxReasonCharacters)}…` : line;
}

function withMore(text: string, next: string | undefined): string {
  return next === undefined ? text : `${text}\n\nThere are more: --after ${next}`;
}
