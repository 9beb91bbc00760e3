import { allBoards } from '../dashboards/all-boards.ts';
import type { Board } from '../dashboards/board.ts';
import { markdownTable } from './markdown-table.ts';

/** docs/boards.md: every board with its question, its picture, and what each of its panels says. */
export function boardsDocument(): string {
  return [
    '# Boards',
    '',
    '<!-- Generated from dashboards/boards/ and the *.board.ts of capabilities by `npm run generate`. Do not edit. -->',
    '',
    'Grafana is given these boards by file. Each answers one question; its rows are the smaller questions on the way. Start',
    'at the overview: names of stages, teams, customers, batches and models lead on, and take time and variables along.',
    'Curves come from Prometheus; amounts of money, and everything by customer, feature or batch, from ClickHouse. Money on',
    'a curve is a rate to look at; money of record is in the tables and reports. What is amber or red on a board is what an',
    'alert fires on: both read `dashboards/thresholds.ts`. Starts of a version, pauses and firing alerts are marked.',
    '',
    'The pictures are drawn by `npm run boards:preview -- --write` from the JSON that Grafana gets, with the data of a run of a few',
    'minutes in which providers fail and recover, work is held, and a budget is used up. They are taken in the midst of',
    'it. Before the run lie two weeks of usage that are made up: the board of costs shows the last of them. Grafana draws',
    'the same a little differently.',
    '',
    ...allBoards.map((board) => `- [${nameOf(board)}](#${slugOf(nameOf(board))}): ${board.question}`),
    '',
    ...allBoards.flatMap((board) => sectionOf(board)),
  ].join('\n');
}

function sectionOf(board: Board): string[] {
  return [
    `## ${nameOf(board)}`,
    '',
    `**${board.question}**`,
    '',
    `![${nameOf(board)}](images/boards/${board.uid}.png)`,
    '',
    ...board.rows.flatMap(({ title, panels }) => [
      `### ${title}`,
      '',
      markdownTable(
        ['Panel', 'What it says'],
        panels.map((panel) => [panel.title, panel.description]),
      ),
    ]),
  ];
}

function nameOf(board: Board): string {
  return board.title.replace('Millrace / ', '');
}

function slugOf(name: string): string {
  return name.toLowerCase().replaceAll(' ', '-');
}
