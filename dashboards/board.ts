import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  type Panel,
  type RowPanel,
  type VariableModel,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { invariant } from '../src/kernel/invariant.ts';
import { annotations } from './annotations.ts';
import type { BoardPanel } from './panel.ts';
import { dataSourceVariables } from './variables.ts';

/*
 * A board as we think of one, and its translation to Grafana's classic JSON, which file provisioning takes and newer
 * Grafanas convert on load. Panels are laid out line by line over 24 columns; an id follows from the panel's title,
 * so that a link to a panel survives what is put beside it.
 */

export interface BoardRow {
  readonly title: string;
  readonly panels: readonly BoardPanel[];
}

export interface Board {
  readonly uid: string;
  readonly title: string;
  /** The question that the board answers. */
  readonly question: string;
  /** What it shows by default, up to now: "6h". */
  readonly range: string;
  readonly refresh: string;
  readonly variables: readonly Builder<VariableModel>[];
  readonly rows: readonly BoardRow[];
}

const columns = 24;
const tag = 'millrace';
const idSpace = 1_000_000;

// oxlint-disable-next-line typescript/no-deprecated -- the second format is not what file provisioning takes everywhere
const newDashboard = (title: string): DashboardBuilder => new DashboardBuilder(title);

/** The object that the SDK's builder makes. */
type ClassicDashboard = ReturnType<ReturnType<typeof newDashboard>['build']>;

/** The board's JSON, as a value. */
function classicDashboard(board: Board): ClassicDashboard {
  const builder = newDashboard(board.title)
    .uid(board.uid)
    .description(board.question)
    .tags([tag])
    .timezone('utc')
    .readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: `now-${board.range}`, to: 'now' })
    .refresh(board.refresh)
    .variables([...dataSourceVariables, ...board.variables])
    .annotations([...annotations])
    .links([
      new DashboardLinkBuilder('Boards')
        .type(DashboardLinkType.Dashboards)
        .tags([tag])
        .asDropdown(true)
        .keepTime(true)
        .includeVars(true),
    ]);
  const dashboard = builder.build();
  dashboard.panels = layOut(board);
  // Where the SDK would put links and annotations is behind a menu; they belong on the board.
  for (const shown of [...(dashboard.links ?? []), ...(dashboard.annotations?.list ?? [])])
    delete shown.placement;
  return dashboard;
}

/** The board's JSON, as text. */
export function boardJson(board: Board): string {
  return `${JSON.stringify(classicDashboard(board), undefined, 2)}\n`;
}

function layOut(board: Board): (Panel | RowPanel)[] {
  const laidOut: (Panel | RowPanel)[] = [];
  let y = 0;
  for (const { title, panels } of board.rows) {
    laidOut.push({
      type: 'row',
      id: idOf(`row ${title}`),
      title,
      collapsed: false,
      panels: [],
      gridPos: { x: 0, y, w: columns, h: 1 },
    });
    y += 1;
    for (const line of linesOf(panels)) {
      let x = 0;
      for (const panel of line) {
        const { width: w, height: h } = panel;
        laidOut.push({ ...panel.build(), id: idOf(panel.title), gridPos: { x, y, w, h } });
        x += w;
      }
      y += line[0]?.height ?? 0;
    }
  }
  return laidOut;
}

/** Lines that are full: 24 columns wide, and of one height. */
function linesOf(panels: readonly BoardPanel[]): BoardPanel[][] {
  const lines: BoardPanel[][] = [];
  let line: BoardPanel[] = [];
  let filled = 0;
  for (const panel of panels) {
    line.push(panel);
    filled += panel.width;
    invariant(filled <= columns, `"${panel.title}" fits into its line of ${columns} columns`);
    invariant(panel.height === line[0]?.height, `"${panel.title}" is as high as its line`);
    if (filled < columns) continue;
    lines.push(line);
    line = [];
    filled = 0;
  }
  invariant(filled === 0, `the line of "${line[0]?.title}" is full`);
  return lines;
}

/** FNV-1a: the same for the same title, whatever stands beside it. */
function idOf(title: string): number {
  let hash = 0x811c9dc5;
  for (const character of title) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return (hash % idSpace) + 1;
}
