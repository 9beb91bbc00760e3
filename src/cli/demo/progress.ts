import type { HostStatus, MessageCounts } from '../../host/host-status.ts';
import type { CommandContext } from '../command-context.ts';
import { shownText } from '../../terminal/shown-text.ts';
import { formatCount, roundedUsd } from '../../terminal/text-table.ts';

/** Shows how far a run is: one line that rewrites itself on a terminal, else a line now and then. */
export interface ProgressDisplay {
  /** How often it wants to be told. */
  readonly pauseMs: number;
  show(status: HostStatus, admitted: number, documents: number): void;
  /** Writes a line that stays. */
  note(text: string): void;
  /** Ends the line that rewrites itself. */
  end(): void;
}

const terminalPauseMs = 250;
const plainPauseMs = 2000;
const eraseLine = '\r\u001b[2K';

/** The stages are shown in the given order. */
export function progressDisplay(
  stderr: CommandContext['stderr'],
  stages: readonly string[],
): ProgressDisplay {
  const isTerminal = stderr.isTTY === true;
  let isLineOpen = false;
  return {
    pauseMs: isTerminal ? terminalPauseMs : plainPauseMs,
    show(status, admitted, documents) {
      const line = shownText(progressLine(status, { stages, admitted, documents }));
      if (isTerminal) stderr.write(`${eraseLine}${line.slice(0, (stderr.columns ?? 80) - 1)}`);
      else stderr.write(`${line}\n`);
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

/** "admitted 300/300 | fetch 300 done | summarise 120 done, 180 pending, 1 dead | … | spent 0.012345 USD" */
export function progressLine(
  status: HostStatus,
  {
    stages,
    admitted,
    documents,
  }: { readonly stages: readonly string[]; readonly admitted: number; readonly documents: number },
): string {
  const parts = stages.map((stage) => {
    const counts = status.stages.find((candidate) => candidate.stage === stage)?.messages;
    return `${stage} ${counts === undefined ? '0 done' : countsText(counts)}`;
  });
  const spent = roundedUsd(status.calls.settledUsd);
  return [`admitted ${formatCount(admitted)}/${formatCount(documents)}`, ...parts, `spent ${spent} USD`].join(
    ' | ',
  );
}

function countsText({ completed, pending, leased, dead_lettered: dead }: MessageCounts): string {
  return [
    `${formatCount(completed)} done`,
    ...(pending + leased === 0 ? [] : [`${formatCount(pending + leased)} pending`]),
    ...(dead === 0 ? [] : [`${formatCount(dead)} dead`]),
  ].join(', ');
}
