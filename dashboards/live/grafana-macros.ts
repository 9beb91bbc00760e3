import { invariant } from '../../src/kernel/invariant.ts';

/*
 * What Grafana and its ClickHouse plugin put into a query before it is sent, so that the very text of the boards can
 * be run without them.
 */

/** What the reader of a board has chosen. */
export interface BoardView {
  readonly fromSeconds: number;
  readonly toSeconds: number;
  /** Between two points of a chart. */
  readonly stepSeconds: number;
  /** Values of variables; one that is absent is "All". */
  readonly chosen?: Readonly<Record<string, readonly string[]>>;
  /** The time of the run, where the view reaches further back: only in it there are metrics. */
  readonly metrics?: Omit<BoardView, 'chosen' | 'metrics'>;
}

/** Four scrapes, or a step of the chart, whichever is longer; as Grafana has it. */
const scrapesInWindow = 4;
const scrapeSeconds = 2;

/** An expression as Prometheus takes it. Fails when a variable is left over. */
export function expandPromql(
  expr: string,
  { fromSeconds, toSeconds, stepSeconds, chosen = {} }: BoardView,
): string {
  const window = Math.max(scrapesInWindow * scrapeSeconds, stepSeconds + scrapeSeconds);
  const expanded = expr
    .replaceAll('$__rate_interval', `${window}s`)
    .replaceAll('$__range', `${Math.max(1, Math.round(toSeconds - fromSeconds))}s`)
    .replaceAll(/\$(?!__)(\w+)/g, (_, name: string) => {
      const values = chosen[name];
      return values === undefined
        ? '.*'
        : `(${values.map((value) => value.replaceAll(/[^\w-]/g, '.')).join('|')})`;
    });
  invariant(!expanded.includes('$'), `every variable is replaced in ${expanded}`);
  return expanded;
}

/** A statement as ClickHouse takes it. Fails when a macro or a variable is left over. */
export function expandSql(
  sql: string,
  { fromSeconds, toSeconds, stepSeconds, chosen = {} }: BoardView,
): string {
  const from = `toDateTime(${Math.floor(fromSeconds)})`;
  const to = `toDateTime(${Math.ceil(toSeconds)})`;
  const expanded = expandConditions(sql, chosen)
    .replaceAll(
      /\$__timeFilter\((\w+)\)/g,
      (_, column: string) => `${column} >= ${from} AND ${column} <= ${to}`,
    )
    .replaceAll(
      /\$__timeInterval\((\w+)\)/g,
      (_, column: string) =>
        `toStartOfInterval(toDateTime(${column}), INTERVAL ${Math.ceil(stepSeconds)} second)`,
    )
    .replaceAll('$__fromTime', from)
    .replaceAll('$__toTime', to)
    .replaceAll(/\$\{(\w+):singlequote\}/g, (_, name: string) =>
      (chosen[name] ?? []).map((value) => `'${value.replaceAll("'", String.raw`\'`)}'`).join(','),
    );
  invariant(!expanded.includes('$'), `every macro and variable is replaced in ${expanded}`);
  return expanded;
}

/** `$__conditionalAll(condition, $variable)`: the condition, or 1=1 while all values are chosen. */
function expandConditions(sql: string, chosen: Readonly<Record<string, readonly string[]>>): string {
  const opening = '$__conditionalAll(';
  const start = sql.indexOf(opening);
  if (start === -1) return sql;
  const end = closingParenthesis(sql, start + opening.length);
  const content = sql.slice(start + opening.length, end);
  const comma = content.lastIndexOf(',');
  const variable = content
    .slice(comma + 1)
    .trim()
    .replace(/^\$/, '');
  const condition = chosen[variable] === undefined ? '1=1' : content.slice(0, comma).trim();
  return sql.slice(0, start) + condition + expandConditions(sql.slice(end + 1), chosen);
}

function closingParenthesis(text: string, from: number): number {
  let open = 1;
  for (let index = from; index < text.length; index += 1) {
    if (text[index] === '(') open += 1;
    if (text[index] === ')') open -= 1;
    if (open === 0) return index;
  }
  throw new Error(`a parenthesis is not closed in ${text}`);
}
