import { describe, expect, it } from 'vitest';
import { repositoryFiles } from './repository-files.ts';

/*
 * Rows of equal keys come in no order at all: a list that ends with such a key changes from look to look, and its pages
 * lose or repeat rows. So the last key of every ORDER BY names one row.
 */

/** What tells the rows of a list apart: ids, places that are given once, and what a statement groups by. */
const namesOneRow = new RegExp(
  `^(?:\\w+\\.)?(?:${[
    'id|call_id|batch_id|delivery_id|provider_batch|endpoint|message_id|record_id|seq|position|chunk|fingerprint|code|error_code|fencing_token|order_place|place|turn|ord|slot|hop|percent|\\d',
    'name|dimension|kind|error|item|item_key|key|known_as|waste_reason|reason|window_start|day|month|shown_place',
    'lane|stage|owner|team|customer|feature|batch|model|error_type|parked_for',
    '\\$\\{id\\}|\\$\\{by\\}|\\$\\{keys\\}|\\$\\{column\\}|\\$\\{name\\}|\\$\\{dimension\\}|\\$\\{this\\.#order\\(\\)\\}',
  ].join('|')})$`,
);

/** Statements that take some of many rows and show no list: with ties broken they would read all rows of one time. */
const takesAny = new Map([
  ['src/capabilities/budgets/budget-sql.ts', 'm.available_at'],
  ['src/engine/ledger/claim-sql.ts', 'm.customer collate "C", m.available_at'],
  ['src/engine/maintenance/payload-removals.ts', 'r.due_at'],
  ['src/engine/ledger/sweep-sql.ts', 'm.sweep_at'],
  ['src/engine/ledger/wait-sql.ts', 'm.available_at'],
  // The place is only compared with a share of the items.
  ['src/capabilities/costs/costs.board.ts', 'item_spend DESC'],
]);

const endOfKeys = /^(?:[`'\];]|\s+(?:limit|for (?:no key )?update|rows|offset|on conflict|union)\b)/i;

const orders = repositoryFiles()
  .filter(({ path }) => /^(?:src|dashboards)\/.*(?<!\.test)\.ts$/.test(path))
  .flatMap(({ path, text }) => ordersOf(text).map((keys) => ({ path, keys })));

describe('every ORDER BY', () => {
  it('is found', () => {
    expect(orders.length).toBeGreaterThan(120);
    expect(orders).toContainEqual({
      path: 'src/capabilities/access/api-key-sql.ts',
      keys: 'k.created_at, k.id',
    });
  });

  it('ends with a key that names one row', () => {
    const partial = orders.filter(({ path, keys }) => takesAny.get(path) !== keys && !isTotal(keys));
    expect(partial).toEqual([]);
  });

  it('that may take any row is still there', () => {
    for (const [path, keys] of takesAny) expect(orders).toContainEqual({ path, keys });
  });
});

function isTotal(keys: string): boolean {
  const last = keys.split(',').at(-1) ?? '';
  return namesOneRow.test(last.replace(/ (?:asc|desc|\$\{direction\})$/i, '').trim());
}

/** The keys of every ORDER BY in the code, without its comments. */
function ordersOf(text: string): readonly string[] {
  return [...text.matchAll(/^(?!\s*(?:\*|\/[/*])).*?\border by\s+/gim)].flatMap((match) => {
    // More than one may stand in a line.
    const line = text.slice(match.index, (text.indexOf('\n', match.index) + 1 || text.length) - 1);
    // A percentile is of ordered values, whichever rows they are of.
    return [...line.matchAll(/(?<!within group \()\border by\s+/gi)].map(({ index, 0: words }) =>
      keysAt(text.slice(match.index + index + words.length)),
    );
  });
}

function keysAt(text: string): string {
  let depth = 0;
  let end = 0;
  for (; end < text.length; end += 1) {
    const character = text[end] ?? '';
    if ('({'.includes(character)) depth += 1;
    else if (depth > 0 && ')}'.includes(character)) depth -= 1;
    else if (depth === 0 && (')}'.includes(character) || endOfKeys.test(text.slice(end, end + 22)))) break;
  }
  return text.slice(0, end).replaceAll(/\s+/g, ' ').trim();
}
