import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/kernel/package-root.ts';
import type { BoardView } from './grafana-macros.ts';

/* The generated JSON as its readers need it: what is checked and previewed is what Grafana gets, not what it came from. */

export interface GeneratedTarget {
  readonly refId: string;
  /** PromQL. */
  readonly expr?: string;
  readonly legendFormat?: string;
  readonly range?: boolean;
  readonly instant?: boolean;
  /** SQL of the ClickHouse plugin; 0: time series, 1: table. */
  readonly rawSql?: string;
  readonly format?: number | string;
  readonly datasource: { readonly type: string; readonly uid: string };
}

export interface GeneratedStep {
  readonly value: number | null;
  readonly color: string;
}

export interface GeneratedProperty {
  readonly id: string;
  readonly value: unknown;
}

export interface GeneratedFieldDefaults {
  readonly unit?: string;
  readonly decimals?: number;
  readonly min?: number;
  readonly max?: number;
  readonly noValue?: string;
  readonly thresholds?: { readonly steps: readonly GeneratedStep[] };
  readonly color?: { readonly mode: string; readonly fixedColor?: string };
  readonly mappings?: readonly {
    readonly options: Readonly<Record<string, { readonly text: string; readonly color: string }>>;
  }[];
  readonly custom?: Readonly<Record<string, unknown>> & {
    readonly drawStyle?: string;
    readonly fillOpacity?: number;
    readonly stacking?: { readonly mode: string };
    readonly thresholdsStyle?: { readonly mode: string };
  };
}

export interface GeneratedPanel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly GeneratedTarget[];
  readonly datasource?: { readonly type: string; readonly uid: string };
  readonly fieldConfig?: {
    readonly defaults: GeneratedFieldDefaults;
    readonly overrides: readonly {
      readonly matcher: { readonly id: string; readonly options: unknown };
      readonly properties: readonly GeneratedProperty[];
    }[];
  };
  readonly transformations?: readonly {
    readonly id: string;
    readonly options: {
      readonly renameByName?: Readonly<Record<string, string>>;
      readonly indexByName?: Readonly<Record<string, number>>;
      readonly excludeByName?: Readonly<Record<string, boolean>>;
    };
  }[];
  readonly options?: Readonly<Record<string, unknown>> & {
    readonly graphMode?: string;
    readonly colorMode?: string;
    readonly xField?: string;
    readonly stacking?: string;
    readonly reduceOptions?: { readonly values?: boolean };
    readonly legend?: { readonly showLegend?: boolean };
    readonly tooltip?: { readonly mode?: string };
  };
}

export interface GeneratedVariable {
  readonly name: string;
  readonly type: string;
  readonly query: string;
  readonly multi: boolean;
  readonly includeAll: boolean;
  readonly datasource?: { readonly type: string; readonly uid: string };
}

export interface GeneratedBoard {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly editable: boolean;
  readonly timezone: string;
  readonly panels: readonly GeneratedPanel[];
  readonly templating: { readonly list: readonly GeneratedVariable[] };
  readonly annotations: {
    readonly list: readonly {
      readonly name: string;
      readonly expr: string;
      readonly iconColor: string;
      /** Whether the value is the time, in milliseconds. */
      readonly useValueForTime?: boolean;
      readonly datasource: { readonly type: string; readonly uid: string };
    }[];
  };
  readonly links: readonly { readonly keepTime: boolean; readonly includeVars: boolean }[];
}

const weekSeconds = 7 * 86_400;
const shortestStepOfWeekSeconds = 7200;

/** Every board as it is committed. */
export function readGeneratedBoards(): readonly GeneratedBoard[] {
  const folder = join(packageRoot(), 'dashboards', 'generated', 'grafana', 'dashboards');
  return readdirSync(folder)
    .toSorted()
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as GeneratedBoard);
}

/** The panels that ask something; rows only carry a heading. */
export function askingPanels(board: GeneratedBoard): readonly GeneratedPanel[] {
  return board.panels.filter(({ type }) => type !== 'row');
}

/** What a board is shown: the run, or a week, with as many points, where it compares with the period before. */
export function viewOf(board: GeneratedBoard, run: BoardView): BoardView {
  if (!JSON.stringify(board.panels).includes('$__fromTime')) return run;
  const points = (run.toSeconds - run.fromSeconds) / run.stepSeconds;
  return {
    ...run,
    fromSeconds: run.toSeconds - weekSeconds,
    stepSeconds: Math.max(weekSeconds / points, shortestStepOfWeekSeconds),
    metrics: run,
  };
}
