import { metricCatalogue } from '../src/host/metric-catalogue.ts';
import { type MetricDefinition, metricPrefix } from '../src/telemetry/metric-definition.ts';
import { askingPanels, type GeneratedBoard, type GeneratedPanel } from './live/generated-board.ts';

/* What a board says, taken out of its JSON: the parts that rules are about. */

/** One mention of a metric in PromQL. */
export interface MetricUse {
  /** Without prefix and without the histogram's suffix. */
  readonly name: string;
  readonly definition: MetricDefinition | undefined;
  /** The function that it stands in: "rate", "increase", or "" for none. */
  readonly inside: string;
  /** Labels that are matched. */
  readonly labels: readonly string[];
}

const known: Readonly<Record<string, MetricDefinition>> = metricCatalogue;
const mention = new RegExp(String.raw`(?:\b(\w+)\()?\b${metricPrefix}(\w+)(?:\{([^}]*)\})?`, 'g');

/** Every metric that an expression mentions. */
export function metricUses(expr: string): readonly MetricUse[] {
  return [...expr.matchAll(mention)].map(([, inside = '', fullName = '', matchers = '']) => {
    const name = known[fullName] === undefined ? fullName.replace(/_(?:bucket|sum|count)$/, '') : fullName;
    const labels = [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label);
    return { name, definition: known[name], inside, labels };
  });
}

/** Labels that an expression aggregates or joins by. */
export function groupedLabels(expr: string): readonly string[] {
  return [...expr.matchAll(/\b(?:by|on|ignoring|without) \(([^)]*)\)/g)].flatMap(([, list = '']) =>
    list
      .split(',')
      .map((label) => label.trim())
      .filter((label) => label !== ''),
  );
}

/** Every expression of a board: of panels and of annotations. */
export function expressionsOf(board: GeneratedBoard): readonly string[] {
  const asked = askingPanels(board).flatMap(({ targets = [] }) => targets.flatMap(({ expr }) => expr ?? []));
  return [...asked, ...board.annotations.list.map(({ expr }) => expr)];
}

/** Every statement of a board: of panels and of variables. */
export function statementsOf(board: GeneratedBoard): readonly string[] {
  const asked = askingPanels(board).flatMap(({ targets = [] }) =>
    targets.flatMap(({ rawSql }) => rawSql ?? []),
  );
  const ofVariables = board.templating.list.flatMap(({ query }) =>
    query.startsWith('SELECT') ? [query] : [],
  );
  return [...asked, ...ofVariables];
}

/** Names of variables that a text uses, Grafana's own left out. */
export function usedVariables(text: string): readonly string[] {
  return [...text.matchAll(/\$(?:\{(\w+)(?::\w+)?\}|(\w+))/g)]
    .map(([, braced, plain]) => braced ?? plain ?? '')
    .filter((name) => !name.startsWith('__'));
}

/** Where the cells of a panel lead, with the columns that the panel has. */
export function linksOf(panel: GeneratedPanel): readonly string[] {
  return (panel.fieldConfig?.overrides ?? []).flatMap(({ properties }) =>
    properties
      .filter(({ id }) => id === 'links')
      .flatMap(({ value }) => (value as readonly { readonly url: string }[]).map(({ url }) => url)),
  );
}
