import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { packageRoot } from '../../src/kernel/package-root.ts';
import {
  chromiumPrograms,
  directoryOf,
  installNothing,
  pngquantPrograms,
} from '../../test/support/required-programs.ts';
import { boardUids } from '../board-links.ts';
import { boardPage } from '../preview/board-page.ts';
import { takeScreenshots } from '../preview/screenshots.ts';
import { readGeneratedBoards, viewOf } from './generated-board.ts';
import type { BoardView } from './grafana-macros.ts';
import { liveRun } from './live-run.ts';

/*
 * Draws every board from its generated JSON with the data of a live run, without Grafana: pages and pictures in
 * .millrace/boards. With --write the pictures take the place of those of the documents, docs/images/boards. What it
 * needs of the machine must be there: Prometheus, and for pictures Chromium and pngquant.
 *
 *   npm run boards:preview [-- --seconds 60 --no-screenshots --write]
 */

const { values } = parseArgs({
  options: {
    /** How long work comes in. */
    seconds: { type: 'string', default: '180' },
    screenshots: { type: 'boolean', default: true },
    /** Whether the pictures are those of the documents. */
    write: { type: 'boolean', default: false },
  },
  allowNegative: true,
});

// What a reader comes with, who followed a link from the overview.
const choices: Readonly<Record<string, BoardView['chosen']>> = {
  [boardUids.stage]: { stage: ['answer'] },
};

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const pages = join(packageRoot(), '.millrace', 'boards');
const pictures = values.write ? join(packageRoot(), 'docs', 'images', 'boards') : pages;
installNothing();
if (values.screenshots) {
  // Before the run, which takes minutes.
  directoryOf(chromiumPrograms());
  directoryOf(pngquantPrograms());
}
mkdirSync(pages, { recursive: true });
mkdirSync(pictures, { recursive: true });

const run = await liveRun({ seconds: Number(values.seconds), say });
try {
  const shots = [];
  for (const board of readGeneratedBoards()) {
    const chosen = choices[board.uid];
    const view = { ...viewOf(board, run.view), ...(chosen === undefined ? {} : { chosen }) };
    const { html, empty } = await boardPage(board, run.sources, view);
    const htmlFile = join(pages, `${board.uid}.html`);
    writeFileSync(htmlFile, html);
    say(
      `${relative(process.cwd(), htmlFile)}${empty.length === 0 ? '' : `  without data: ${empty.join(', ')}`}`,
    );
    shots.push({ htmlFile, pngFile: join(pictures, `${board.uid}.png`) });
  }
  if (values.screenshots) {
    const faults = await takeScreenshots(shots);
    for (const { htmlFile, fault } of faults) say(`${relative(process.cwd(), htmlFile)}: ${fault}`);
    say(`${shots.length} pictures in ${relative(process.cwd(), pictures)}`);
  }
} finally {
  await run.stop();
}
