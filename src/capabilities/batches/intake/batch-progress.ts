import { usd } from '../../../kernel/money.ts';
import type { CommandContext } from '../../../terminal/command-context.ts';
import { RecentRate } from '../../../terminal/recent-rate.ts';
import { shownText } from '../../../terminal/shown-text.ts';
import { formatCount, formatCounted, roundedUsd } from '../../../terminal/text-table.ts';
import type { Batch } from '../batch.ts';

/** What one line shows of a batch. */
export interface ProgressFigures {
  readonly batch: Pick<Batch, 'state' | 'items' | 'ended' | 'costUsd'>;
  /** Items that ended in a second, lately. */
  readonly perSecond: number | undefined;
}

/** Shows how far a batch is: a bar that rewrites itself on a terminal, else a line now and then. */
export interface BatchProgress {
  readonly intervalMs: number;
  show(batch: ProgressFigures['batch'], atMs: number): void;
  end(): void;
}

const terminalPauseMs = 1000;
const plainPauseMs = 5000;
const eraseLine = '\r\u001b[2K';
const barColumns = 20;

export function batchProgress(stderr: CommandContext['stderr']): BatchProgress {
  const isTerminal = stderr.isTTY === true;
  const rate = new RecentRate();
  let isLineOpen = false;
  return {
    intervalMs: isTerminal ? terminalPauseMs : plainPauseMs,
    show(batch, atMs) {
      const line = shownText(progressLine({ batch, perSecond: rate.take(endedOf(batch), atMs) }));
      if (isTerminal) stderr.write(`${eraseLine}${line.slice(0, (stderr.columns ?? 80) - 1)}`);
      else stderr.write(`${line}\n`);
      isLineOpen = isTerminal;
    },
    end() {
      if (isLineOpen) stderr.write('\n');
      isLineOpen = false;
    },
  };
}

/** "[██████████░░░░░░░░░░] running, 500/1,000 items, 12 failed, 0.123456 USD, 23.4/s, 21 s left" */
export function progressLine({ batch, perSecond }: ProgressFigures): string {
  const { state, items, ended, costUsd } = batch;
  const done = endedOf(batch);
  const filled = items === 0 ? 0 : Math.floor((Math.min(done, items) / items) * barColumns);
  return [
    `[${'█'.repeat(filled)}${'░'.repeat(barColumns - filled)}] ${state}`,
    `${formatCount(done)}/${formatCounted(items, 'item')}`,
    ...(ended.failed === 0 ? [] : [`${formatCount(ended.failed)} failed`]),
    `${roundedUsd(usd(costUsd))} USD`,
    ...(perSecond === undefined
      ? []
      : [`${perSecond.toFixed(1)}/s`, `${timeText((items - done) / perSecond)} left`]),
  ].join(', ');
}

function endedOf({ ended }: ProgressFigures['batch']): number {
  return ended.succeeded + ended.failed + ended.expired + ended.cancelled + ended.skipped;
}

const minute = 60;
const hour = 3600;

function timeText(seconds: number): string {
  if (seconds < minute) return `${Math.ceil(seconds)} s`;
  if (seconds < hour) return `${Math.ceil(seconds / minute)} min`;
  return `${Math.floor(seconds / hour)} h ${Math.round((seconds % hour) / minute)} min`;
}
