import { usd } from '../../kernel/money.ts';
import { formatCount, formatCounted, roundedUsd } from '../../terminal/text-table.ts';
import type { BatchDocument } from './batch-document.ts';

/** A batch for the terminal. */
export function batchText(batch: BatchDocument): string {
  const { origin, items, cause, upload, state, quality } = batch;
  const ends = [
    `${formatCount(items.succeeded)} succeeded`,
    ...(['failed', 'expired', 'cancelled', 'skipped'] as const)
      .filter((end) => items[end] > 0)
      .map((end) => `${formatCount(items[end])} ${end}`),
    `${formatCount(items.open)} open`,
  ];
  const facts: readonly (readonly [string, string])[] = [
    ['batch', `${batch.name} (${batch.id})`],
    ['state', state === 'receiving' ? `receiving; its upload: ${upload}` : state],
    ['cause', cause === undefined ? '' : `${cause.code}: ${cause.detail}`],
    ['origin', `team ${origin.team}, customer ${origin.customer}, feature ${origin.feature}`],
    ['pipeline', `${batch.pipeline}, ${batch.type} version ${batch.version}`],
    ['mode', batch.settings.mode],
    ...(batch.modes ?? []).map(({ model, mode, reason }) => ['', `${model}: ${mode}, ${reason}`] as const),
    ['items', `${formatCount(items.total)} in ${formatCounted(batch.chunks, 'chunk')}: ${ends.join(', ')}`],
    [
      'spent',
      `${roundedUsd(usd(batch.costUsd))} USD${batch.unpriced === 0 ? '' : `, and ${formatCounted(batch.unpriced, 'answer')} without a price`}`,
    ],
    [
      'quality',
      quality === undefined
        ? ''
        : `${formatCount(quality.passed)} of ${formatCounted(quality.drawn, 'checked item')} passed ${quality.validator}, ${formatCount(quality.failed)} failed; ${quality.minimum} % are needed`,
    ],
    ['priority', String(batch.priority)],
    ['deadline', batch.deadline ?? ''],
    ['started', batch.startedAt ?? ''],
    ['ended', batch.endedAt ?? ''],
  ];
  return facts
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `${name.padEnd(10)}${value}`)
    .join('\n');
}
