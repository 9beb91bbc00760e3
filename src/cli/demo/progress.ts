import type { HostStatus, MessageCounts } from '../../host/host-status.ts';
import type { CommandContext } from '../../terminal/command-context.ts';
import { shownText } from '../../terminal/shown-text.ts';
import { formatCount, roundedUsd } from '../../terminal/text-table.ts';
import { RecentRate } from '../../terminal/recent-rate.ts';

/** Shows how far a run is: a bar that rewrites itself on a terminal, else a line now and then. */
export interface ProgressDisplay {
  /** How often it is called. */
  readonly intervalMs: number;
  show(status: HostStatus, run: RunProgress): void;
  /** Writes a line that stays. */
  note(text: string): void;
  /** Ends the line that rewrites itself. */
  end(): void;
}

/** What the run itself knows. */
export interface RunProgress {
  readonly admitted: number;
  readonly documents: number;
  /** On a monotonic clock. */
  readonly atMs: number;
}

/** All that one line shows. */
export interface ProgressFigures {
  readonly status: HostStatus;
  /** In the order of the pipeline; a document is done when the last has completed, or when a message of it died. */
  readonly stages: readonly string[];
  readonly admitted: number;
  readonly documents: number;
  /** Documents done a second, lately; undefined while nothing is known of it. */
  readonly perSecond: number | undefined;
}

const terminalPauseMs = 250;
const plainPauseMs = 2000;
const eraseLine = '\r\u001b[2K';
const barColumns = 20;

/** The stages are shown in the given order. */
export function progressDisplay(
  stderr: CommandContext['stderr'],
  stages: readonly string[],
): ProgressDisplay {
  const isTerminal = stderr.isTTY === true;
  const rate = new RecentRate();
  let isLineOpen = false;
  return {
    intervalMs: isTerminal ? terminalPauseMs : plainPauseMs,
    show(status, { admitted, documents, atMs }) {
      const perSecond = rate.take(doneOf(status, stages), atMs);
      const figures = { status, stages, admitted, documents, perSecond };
      if (isTerminal) {
        const line = shownText(progressBar(figures));
        stderr.write(`${eraseLine}${line.slice(0, (stderr.columns ?? 80) - 1)}`);
      } else stderr.write(`${shownText(progressLine(figures))}\n`);
      isLineOpen = isTerminal;
    },
    note(text) {
      stderr.write(`${isLineOpen ? eraseLine : ''}${shownText(text)}\n`);
      isLineOpen = false;
    },
    end() {
      if (isLineOpen) stderr.write('\n');
      isLineOpen = false;
    },
  };
}

/** "[██████████░░░░░░░░░░] 150/300 documents, 23.4/s, 0.123456 USD, 1 dead | fetch 0, summarise 90, store 16 waiting" */
export function progressBar(figures: ProgressFigures): string {
  const { status, stages, documents, perSecond } = figures;
  const done = doneOf(status, stages);
  const filled = documents === 0 ? 0 : Math.floor((Math.min(done, documents) / documents) * barColumns);
  const bar = `[${'█'.repeat(filled)}${'░'.repeat(barColumns - filled)}]`;
  const dead = sumOf(status, ({ dead_lettered: count }) => count);
  const facts = [
    `${bar} ${formatCount(done)}/${formatCount(documents)} documents`,
    ...(perSecond === undefined ? [] : [`${perSecond.toFixed(1)}/s`]),
    `${roundedUsd(status.calls.settledUsd)} USD`,
    ...(dead === 0 ? [] : [`${formatCount(dead)} dead`]),
  ].join(', ');
  const open = stages.map((stage) => {
    const { pending, leased } = countsOf(status, stage) ?? { pending: 0, leased: 0 };
    return `${stage} ${formatCount(pending + leased)}`;
  });
  return open.length === 0 ? facts : `${facts} | ${open.join(', ')} open`;
}

/** "admitted 300/300 | fetch 300 done | summarise 120 done, 180 pending, 1 dead | … | spent 0.012345 USD | 23.4 documents/s" */
export function progressLine({ status, stages, admitted, documents, perSecond }: ProgressFigures): string {
  const parts = stages.map((stage) => {
    const counts = countsOf(status, stage);
    return `${stage} ${counts === undefined ? '0 done' : countsText(counts)}`;
  });
  return [
    `admitted ${formatCount(admitted)}/${formatCount(documents)}`,
    ...parts,
    `spent ${roundedUsd(status.calls.settledUsd)} USD`,
    ...(perSecond === undefined ? [] : [`${perSecond.toFixed(1)} documents/s`]),
  ].join(' | ');
}

function doneOf(status: HostStatus, stages: readonly string[]): number {
  const last = stages.at(-1);
  const completed = last === undefined ? 0 : (countsOf(status, last)?.completed ?? 0);
  return completed + sumOf(status, ({ dead_lettered: dead, cancelled }) => dead + cancelled);
}

function sumOf({ stages }: HostStatus, count: (messages: MessageCounts) => number): number {
  return stages.reduce((sum, { messages }) => sum + count(messages), 0);
}

function countsOf({ stages }: HostStatus, name: string): MessageCounts | undefined {
  return stages.find(({ stage }) => stage === name)?.messages;
}

function countsText({ completed, pending, leased, dead_lettered: dead }: MessageCounts): string {
  return [
    `${formatCount(completed)} done`,
    ...(pending + leased === 0 ? [] : [`${formatCount(pending + leased)} pending`]),
    ...(dead === 0 ? [] : [`${formatCount(dead)} dead`]),
  ].join(', ');
}
