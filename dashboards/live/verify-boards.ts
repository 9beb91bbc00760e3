import { mayBeEmpty } from '../may-be-empty.ts';
import {
  askingPanels,
  type GeneratedBoard,
  type GeneratedPanel,
  readGeneratedBoards,
  viewOf,
} from './generated-board.ts';
import { expandPromql, expandSql } from './grafana-macros.ts';
import { type LiveRun, liveRun } from './live-run.ts';
import { hasData, readPanel } from './panel-data.ts';

/*
 * Runs every question of every board against a real Prometheus and the product's own tables, and says which of them
 * fail or answer nothing.
 *
 *   npm run boards:verify
 */

/** What came of it: panels by how they answered, and what is wrong in words. */
export interface Verification {
  readonly panels: number;
  readonly empty: readonly string[];
  readonly faults: readonly string[];
}

/** Asks everything. */
export async function verifyBoards({ sources, view: wholeRun }: LiveRun): Promise<Verification> {
  const empty: string[] = [];
  const faults: string[] = [];
  let panels = 0;
  for (const board of readGeneratedBoards()) {
    const view = viewOf(board, wholeRun);
    await verifyVariables(board, { sources, view }, faults);
    await verifyAnnotations(board, { sources, view: wholeRun }, faults);
    for (const panel of askingPanels(board)) {
      const name = `${board.uid} / ${panel.title}`;
      panels += 1;
      try {
        const answers = await readPanel(panel, sources, view);
        if (answers.some((answer) => hasData(answer))) continue;
        if (mayBeEmpty[name] === undefined) faults.push(`${name}: no data`);
        else empty.push(name);
      } catch (error) {
        faults.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      }
      await verifyChoice(name, panel, { sources, view }, faults);
    }
  }
  return { panels, empty, faults };
}

/** The same questions with one value of each variable chosen must at least be understood. */
async function verifyChoice(
  name: string,
  panel: GeneratedPanel,
  { sources, view }: Pick<LiveRun, 'sources' | 'view'>,
  faults: string[],
): Promise<void> {
  const names = ['owner', 'stage', 'provider', 'model', 'team', 'customer', 'feature', 'batch'];
  const chosen = Object.fromEntries(names.map((variable) => [variable, ["it's nothing"]]));
  try {
    await readPanel(panel, sources, { ...view, chosen });
  } catch (error) {
    faults.push(`${name}, with values chosen: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Variables must offer values. */
async function verifyVariables(
  board: GeneratedBoard,
  { sources, view }: Pick<LiveRun, 'sources' | 'view'>,
  faults: string[],
): Promise<void> {
  const { prometheus, columns } = sources;
  for (const { name, type, query } of board.templating.list) {
    if (type !== 'query') continue;
    const fromPrometheus = /^label_values\((.+), (\w+)\)$/.exec(query);
    const [, metric = '', label = ''] = fromPrometheus ?? [];
    const found =
      fromPrometheus === null
        ? (await columns.query(expandSql(query, view))).length
        : (await prometheus.query(`count by (${label}) (${expandPromql(metric, view)})`)).length;
    if (found === 0) faults.push(`${board.uid}: the variable ${name} offers nothing`);
  }
}

/** Annotations must be understood, and the start of the run be among them. */
async function verifyAnnotations(
  board: GeneratedBoard,
  { sources: { prometheus }, view }: Pick<LiveRun, 'sources' | 'view'>,
  faults: string[],
): Promise<void> {
  for (const { expr, name } of board.annotations.list) {
    const answered = await prometheus.queryRange(expr, view);
    if (name === 'Deploys' && answered.length === 0) faults.push(`${board.uid}: no start is annotated`);
  }
}

/** The report in words. */
export function verificationText({ panels, empty, faults }: Verification): string {
  return [
    `${panels} panels asked; ${faults.length} faults, ${empty.length} rightly empty.`,
    ...empty.map((name) => `  empty    ${name}: ${mayBeEmpty[name] ?? ''}`),
    ...faults.map((fault) => `  FAULT    ${fault}`),
  ].join('\n');
}

const runSeconds = 60;

if (process.argv[1] === import.meta.filename) {
  const run = await liveRun({ seconds: runSeconds, say: (line) => process.stdout.write(`${line}\n`) });
  try {
    const verification = await verifyBoards(run);
    process.stdout.write(`${verificationText(verification)}\n`);
    if (verification.faults.length > 0) process.exitCode = 1;
  } finally {
    await run.stop();
  }
}
