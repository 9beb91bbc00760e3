import { describe, expect, it } from 'vitest';
import { metricCatalogue } from '../src/host/metric-catalogue.ts';
import { ruleGroups } from './alerts/rule-groups.ts';
import { allBoards } from './all-boards.ts';
import { boardJson } from './board.ts';
import {
  expressionsOf,
  groupedLabels,
  linksOf,
  metricUses,
  statementsOf,
  usedVariables,
} from './board-facts.ts';
import { boardUids } from './board-links.ts';
import { stat } from './charts.ts';
import { promql } from './data-queries.ts';
import { askingPanels, type GeneratedBoard, type GeneratedStep } from './live/generated-board.ts';
import { mayBeEmpty } from './may-be-empty.ts';
import { thresholds } from './thresholds.ts';
import { unshownMetrics } from './unshown-metrics.ts';

const boards = allBoards.map((board) => JSON.parse(boardJson(board)) as GeneratedBoard);
const panels = boards.flatMap((board) =>
  askingPanels(board).map((panel) => ({ board, panel, name: `${board.uid} / ${panel.title}` })),
);
const targets = panels.flatMap(({ panel, name }) =>
  (panel.targets ?? []).map((target) => ({ ...target, name, type: panel.type })),
);
const expressions = boards.flatMap((board) => expressionsOf(board));
/** Labels that Prometheus adds, and those of its own series. */
const foreignLabels = new Set(['le', 'job', 'instance', 'alertname', 'alertstate', 'severity']);

describe('a board', () => {
  it.each(boards)('$uid has a title, a question, and cannot be edited by hand', (board) => {
    expect(board.title).toMatch(/^Millrace \/ \S/);
    expect(board.description).toMatch(/\?$/);
    expect(board).toMatchObject({ editable: false, timezone: 'utc', tags: ['millrace'] });
    expect(board.links).toMatchObject([{ keepTime: true, includeVars: true }]);
    expect(board.annotations.list.map(({ name }) => name)).toEqual(['Deploys', 'Pauses', 'Alerts']);
  });

  it.each(boards)('$uid gives each panel an id and a title of its own', (board) => {
    const ids = board.panels.map(({ id }) => id);
    expect(ids.every((id) => Number.isInteger(id) && id > 0)).toBe(true);
    expect(new Set(ids).size).toBe(ids.length);
    const titles = askingPanels(board).map(({ title }) => title);
    expect(new Set(titles).size).toBe(titles.length);
  });

  it.each(boards)('$uid lays its panels out without gap or overlap', (board) => {
    const taken = new Set<string>();
    for (const { gridPos, title } of board.panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect(taken.has(`${x},${y}`), title).toBe(false);
          taken.add(`${x},${y}`);
        }
      }
    }
    const bottom = Math.max(...board.panels.map(({ gridPos }) => gridPos.y + gridPos.h));
    expect(taken.size).toBe(24 * bottom);
  });

  it('keeps the id of a panel when another is put before it', () => {
    const [overview] = allBoards;
    if (overview === undefined) throw new Error('there is a board');
    const added = stat({
      title: 'Something new',
      description: 'x',
      unit: 'short',
      width: 24,
      queries: [promql('up', 'x')],
    });
    const changed = JSON.parse(
      boardJson({ ...overview, rows: [{ title: 'New', panels: [added] }, ...overview.rows] }),
    ) as GeneratedBoard;
    const idOf = (board: GeneratedBoard, title: string): number | undefined =>
      board.panels.find((panel) => panel.title === title)?.id;
    for (const { title } of boards[0]?.panels ?? []) {
      expect(idOf(changed, title)).toBe(
        boards.flatMap((board) => (board.uid === overview.uid ? [idOf(board, title)] : []))[0],
      );
    }
  });

  it('is not made of lines that are not full', () => {
    const [overview] = allBoards;
    if (overview === undefined) throw new Error('there is a board');
    const narrow = stat({
      title: 'Narrow',
      description: 'x',
      unit: 'short',
      width: 5,
      queries: [promql('up', 'x')],
    });
    expect(() => boardJson({ ...overview, rows: [{ title: 'New', panels: [narrow] }] })).toThrow(
      'the line of "Narrow" is full',
    );
  });

  it.each(boards)('$uid declares the variables that it uses, and uses those that it declares', (board) => {
    const declared = board.templating.list.map(({ name }) => name);
    const used = new Set(usedVariables(JSON.stringify(board)));
    expect([...used].filter((name) => !declared.includes(name))).toEqual([]);
    // Every board has both data sources, so that links carry them.
    const own = declared.filter((name) => name !== 'prometheus' && name !== 'clickhouse');
    expect(own.filter((name) => !used.has(name))).toEqual([]);
  });
});

describe('a panel', () => {
  it.each(panels)('$name says what it is and in which unit', ({ panel }) => {
    expect(panel.description).toMatch(/^\S.{15,}[.]$/);
    expect(panel.fieldConfig?.defaults.unit).toBeTruthy();
    expect(panel.targets?.length).toBeGreaterThan(0);
    expect(new Set(panel.targets?.map(({ refId }) => refId)).size).toBe(panel.targets?.length);
  });

  it.each(panels)('$name asks the data source of the variables', ({ panel }) => {
    const allowed = ['${prometheus}', '${clickhouse}'];
    expect(allowed).toContain(panel.datasource?.uid);
    for (const target of panel.targets ?? []) {
      expect(target.datasource.uid).toBe(target.rawSql === undefined ? '${prometheus}' : '${clickhouse}');
      expect(target.datasource).toEqual(panel.datasource);
    }
  });

  it.each(panels.filter(({ panel }) => panel.type === 'timeseries'))(
    '$name shows its legend and all series in the tooltip',
    ({ panel }) => {
      expect(panel.options).toMatchObject({ legend: { showLegend: true }, tooltip: { mode: 'multi' } });
      expect(
        panel.targets?.every(({ rawSql, legendFormat }) => rawSql !== undefined || legendFormat !== ''),
      ).toBe(true);
    },
  );

  it('has no limit that the alerts do not have', () => {
    const values = Object.values(thresholds).flatMap((group) => Object.values<number>(group));
    // One is "any at all".
    const known = new Set([...values, 1, 1 - thresholds.success.sloTarget]);
    const strange = panels.flatMap(({ panel, name }) => {
      const overrides = (panel.fieldConfig?.overrides ?? [])
        .flatMap(({ properties }) => properties)
        .filter(({ id }) => id === 'thresholds')
        .map(({ value }) => value as { steps: GeneratedStep[] });
      const all = [panel.fieldConfig?.defaults.thresholds, ...overrides];
      return all
        .flatMap((one) => one?.steps ?? [])
        .filter(({ value }) => value !== null && !known.has(value))
        .map(({ value }) => `${name}: ${value}`);
    });
    expect(strange).toEqual([]);
  });

  it('shows the name of every alert whole, also on a narrow screen', () => {
    const [screenWidth, gridColumns, letterWidth, padding] = [1280, 24, 7.3, 16];
    const board = boards.find(({ uid }) => uid === boardUids.overview);
    const panel = board?.panels.find(({ title }) => title === 'Firing alerts');
    const others = (panel?.fieldConfig?.overrides ?? [])
      .flatMap(({ properties }) => properties)
      .filter(({ id }) => id === 'custom.width')
      .reduce((sum, { value }) => sum + Number(value), 0);
    expect(others).toBeGreaterThan(0);
    const room = ((panel?.gridPos.w ?? 0) / gridColumns) * screenWidth - others - padding;
    const names = ruleGroups().flatMap(({ alerts }) => alerts.map(({ alert }) => alert));
    expect(names.filter((name) => name.length * letterWidth + padding > room)).toEqual([]);
  });

  it('may be empty only if it exists, and for a reason', () => {
    const names = new Set(panels.map(({ name }) => name));
    expect(Object.keys(mayBeEmpty).filter((name) => !names.has(name))).toEqual([]);
    expect(Object.values(mayBeEmpty).every((reason) => reason.length > 10)).toBe(true);
  });
});

describe('a link', () => {
  const links = panels.flatMap(({ panel, name }) => linksOf(panel).map((url) => ({ panel, name, url })));

  it('is there at all', () => {
    expect(links.length).toBeGreaterThan(10);
  });

  it.each(links)('of $name to $url arrives, with time and variables', ({ panel, url }) => {
    const [, uid = '', query = ''] = /^\/d\/([\w-]+)\?(.*)$/.exec(url) ?? [];
    const target = boards.find((board) => board.uid === uid);
    expect(target, uid).toBeDefined();
    expect(query).toContain('${__url_time_range}');
    const declared = target?.templating.list.map(({ name }) => name) ?? [];
    const columns = panel.fieldConfig?.overrides.map(({ matcher }) => matcher.options);
    for (const [, variable = '', field = ''] of query.matchAll(
      /var-(\w+)=\$\{__data\.fields\["(\w+)"\]:percentencode\}/g,
    )) {
      expect(declared).toContain(variable);
      expect(columns).toContain(field);
    }
  });

  it('can name every board', () => {
    expect(boards.map(({ uid }) => uid).toSorted()).toEqual(Object.values(boardUids).toSorted());
  });
});

describe('PromQL', () => {
  it('sees counters and histograms through rate() or increase(), and gauges without', () => {
    const odd = expressions.flatMap((expr) =>
      metricUses(expr)
        .filter(({ definition, inside }) => {
          const isCounted = inside === 'rate' || inside === 'increase';
          return definition !== undefined && isCounted !== (definition.type !== 'gauge');
        })
        .map(({ name }) => `${name} in ${expr}`),
    );
    expect(odd).toEqual([]);
  });

  it('takes rates over $__rate_interval where it draws curves', () => {
    const odd = targets.filter(
      ({ expr = '', type }) =>
        [...expr.matchAll(/\brate\([^[]*\[([^\]]+)\]/g)].some(
          ([, window]) => window !== '$__rate_interval' && (type === 'timeseries' || window !== '5m'),
        ) ||
        [...expr.matchAll(/\bincrease\([^[]*\[([^\]]+)\]/g)].some(
          ([, window = '']) => !['$__rate_interval', '$__range', '1h'].includes(window),
        ),
    );
    expect(odd.map(({ name, expr }) => `${name}: ${expr}`)).toEqual([]);
  });

  it('names metrics and labels that exist', () => {
    const strange = expressions.flatMap((expr) => {
      const uses = metricUses(expr);
      const all = new Set(uses.flatMap(({ definition }) => Object.keys(definition?.labels ?? {})));
      return [
        ...uses
          .filter(({ definition }) => definition === undefined)
          .map(({ name }) => `${name} is no metric`),
        ...uses.flatMap(({ name, definition, labels }) =>
          labels
            .filter(
              (label) =>
                definition !== undefined && !(label in definition.labels) && !foreignLabels.has(label),
            )
            .map((label) => `${name} has no label ${label}`),
        ),
        ...groupedLabels(expr)
          .filter((label) => uses.length > 0 && !all.has(label) && !foreignLabels.has(label))
          .map((label) => `${label} is no label in ${expr}`),
      ];
    });
    expect(strange).toEqual([]);
  });

  it('shows every metric of the catalogue, or says why not', () => {
    const shown = new Set(expressions.flatMap((expr) => metricUses(expr).map(({ name }) => name)));
    const names = Object.keys(metricCatalogue);
    expect(names.filter((name) => !shown.has(name) && unshownMetrics[name] === undefined)).toEqual([]);
    expect(Object.keys(unshownMetrics).filter((name) => shown.has(name) || !names.includes(name))).toEqual(
      [],
    );
  });
});

describe('SQL', () => {
  const statements = boards.flatMap((board) => statementsOf(board));

  it('is there at all', () => {
    expect(statements.length).toBeGreaterThan(20);
  });

  it.each(statements)('%s quotes what is chosen and keeps to the time range', (statement) => {
    for (const [whole, name = ''] of statement.matchAll(/\$\{(\w+)[^}]*\}/g)) {
      expect(whole).toBe(`\${${name}:singlequote}`);
      expect(statement).toContain(`$__conditionalAll(${name} IN (\${${name}:singlequote}), $${name})`);
    }
    if (!statement.includes('dateDiff')) expect(statement).toMatch(/\$__timeFilter\(ts\)|ts >= \$__fromTime/);
  });

  it('has the time first, and in order, where it is drawn over time', () => {
    for (const { rawSql, format, name } of targets) {
      if (rawSql === undefined || format !== 0) continue;
      expect(rawSql, name).toMatch(/^SELECT \$__timeInterval\((?:ts|part_time)\) AS time, /);
      expect(rawSql, name).toMatch(/ ORDER BY time\b/);
    }
  });

  it('names no sum like a column', () => {
    const columns = ['cost_usd', 'upper_bound_usd', 'calls', 'unpriced_calls', 'unsettled_calls', 'ts'];
    for (const statement of statements) {
      for (const column of columns) expect(statement).not.toMatch(new RegExp(`\\) AS ${column}\\b`));
    }
  });
});
