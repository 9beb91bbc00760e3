import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { askingPanels, readGeneratedBoards } from '../../dashboards/live/generated-board.ts';
import { expandPromql } from '../../dashboards/live/grafana-macros.ts';
import { type LiveRun, liveRun } from '../../dashboards/live/live-run.ts';
import { hasData, readPanel } from '../../dashboards/live/panel-data.ts';
import { verificationText, verifyBoards } from '../../dashboards/live/verify-boards.ts';
import { boardPage } from '../../dashboards/preview/board-page.ts';
import { canRun, directoryOf, prometheusPrograms } from '../support/required-programs.ts';

/* What the boards ask is asked: of a Prometheus that scraped a run with faults, and of the tables that the run wrote. */

const runSeconds = 40;
const moreSeconds = 15;

describe.skipIf(!canRun(prometheusPrograms()))('the boards', () => {
  let run: LiveRun;

  beforeAll(async () => {
    run = await liveRun({ seconds: runSeconds, say: () => undefined });
  }, 300_000);

  afterAll(async () => {
    await run.stop();
  });

  it('get an answer to every question', async () => {
    let verification = await verifyBoards(run);
    // A run is as long on a slow machine, where less happens in it.
    for (let more = 0; more < 3 && verification.faults.length > 0; more += 1) {
      await run.goOn(moreSeconds);
      verification = await verifyBoards(run);
    }
    expect(verification.faults, verificationText(verification)).toEqual([]);
    expect(verification.panels).toBeGreaterThan(100);
  }, 300_000);

  it('would be told of a question that nothing answers', async () => {
    const [panel] = readGeneratedBoards().flatMap((board) => askingPanels(board));
    const target = { refId: 'A', expr: 'no_such_metric', datasource: { type: 'prometheus', uid: '' } };
    if (panel === undefined) throw new Error('there is a panel');
    const answers = await readPanel({ ...panel, targets: [target] }, run.sources, run.view);
    expect(answers.some((answer) => hasData(answer))).toBe(false);
  });

  it('can all be drawn', async () => {
    for (const board of readGeneratedBoards()) {
      const { html } = await boardPage(board, run.sources, run.view);
      for (const { title } of askingPanels(board)) expect(html).toContain(title.replaceAll('"', '&quot;'));
      // What a number or a text that is none would look like, with its surroundings.
      expect(/.{0,60}(?:NaN|>undefined|\[object).{0,20}/.exec(html)?.[0]).toBeUndefined();
    }
  });

  it('ask in PromQL that promtool reads', () => {
    const view = { fromSeconds: 0, toSeconds: 3600, stepSeconds: 15 };
    const rules = readGeneratedBoards().flatMap((board) =>
      askingPanels(board).flatMap((panel) =>
        (panel.targets ?? []).flatMap(({ expr, refId }) =>
          expr === undefined
            ? []
            : [
                {
                  record: 'board:panel',
                  labels: { board: board.uid, panel: String(panel.id), refId },
                  expr: expandPromql(expr, view),
                },
              ],
        ),
      ),
    );
    const folder = mkdtempSync(join(tmpdir(), 'millrace-board-rules-'));
    try {
      const file = join(folder, 'boards.rules.yml');
      writeFileSync(file, stringify({ groups: [{ name: 'boards', rules }] }));
      const promtool = join(directoryOf(prometheusPrograms()), 'promtool');
      expect(execFileSync(promtool, ['check', 'rules', file], { encoding: 'utf8' })).toContain(
        `${rules.length} rules found`,
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
