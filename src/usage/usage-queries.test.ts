import { describe, expect, it } from 'vitest';
import { CostReportQuery, messageCounts } from './usage-queries.ts';

const at = (text: string): Date => new Date(text);

describe('CostReportQuery', () => {
  it('asks for groups and their total in one statement', () => {
    const { sql, parameters } = new CostReportQuery({ groupBy: ['team', 'customer'], limit: 5 }).toSql(
      'mill',
    );
    expect(sql).toContain('FROM mill.usage GROUP BY team, customer');
    expect(sql).toContain('GROUP BY GROUPING SETS ((team, customer), ())');
    expect(sql).toContain('ORDER BY is_total DESC, total_cost DESC, team ASC, customer ASC');
    expect(sql).toContain('LIMIT 7');
    expect(parameters).toEqual({});
  });

  it('asks for the total alone without groups', () => {
    const { sql } = new CostReportQuery({ groupBy: [] }).toSql('mill');
    expect(sql).not.toMatch(/GROUP BY|ORDER BY|LIMIT/);
  });

  it('binds every value and splices none', () => {
    const evil = "x') OR 1 = 1 --";
    const { sql, parameters } = new CostReportQuery({
      groupBy: ['team'],
      from: at('2025-01-01T00:00:00.250Z'),
      to: at('2025-02-01T00:00:00Z'),
      filters: { team: [evil], model: ['a', 'b'], batch: [] },
    }).toSql('mill');
    expect(sql).not.toContain(evil);
    expect(sql).toContain(
      "WHERE ts >= {from:DateTime64(3, 'UTC')} AND ts < {to:DateTime64(3, 'UTC')}" +
        ' AND team IN {team_filter:Array(String)} AND batch IN {batch_filter:Array(String)}' +
        ' AND model IN {model_filter:Array(String)}',
    );
    expect(parameters).toEqual({
      from: '2025-01-01 00:00:00.250',
      to: '2025-02-01 00:00:00.000',
      team_filter: [evil],
      batch_filter: [],
      model_filter: ['a', 'b'],
    });
  });

  it.each([
    [{ groupBy: [] }, 'hour'],
    [{ groupBy: ['team', 'hour'] }, 'hour'],
    [{ groupBy: ['day', 'model'], from: at('2025-01-01T05:30:00Z') }, 'hour'],
    [{ groupBy: ['waste', 'batch'], filters: { stage: ['s'] } }, 'hour'],
    [{ groupBy: ['customer'] }, 'day'],
    [{ groupBy: ['feature', 'day'], filters: { customer: ['c'] } }, 'day'],
    [{ groupBy: ['customer', 'hour'] }, undefined],
    [{ groupBy: ['customer', 'waste'] }, undefined],
    [{ groupBy: ['model'], filters: { customer: ['c'] } }, undefined],
  ] as const)('reads %j from the rollup by the %s', (query, rollup) => {
    expect(new CostReportQuery(query).rollup).toBe(rollup);
  });

  it('asks a rollup for the whole hours of a period, and the records for its edges', () => {
    const { sql } = new CostReportQuery({
      groupBy: ['team'],
      from: at('2025-01-01T05:30:00Z'),
      to: at('2025-01-02T00:00:00Z'),
      messages: 'none',
    }).toSql('mill');
    expect(sql).toContain(
      "FROM mill.usage WHERE toStartOfHour(ts) >= toDateTime64('2025-01-01 06:00:00.000', 3, 'UTC')" +
        " AND toStartOfHour(ts) < toDateTime64('2025-01-02 00:00:00.000', 3, 'UTC') GROUP BY team",
    );
    expect(sql).toContain(
      "FROM mill.usage WHERE ts >= {from:DateTime64(3, 'UTC')} AND ts < {to:DateTime64(3, 'UTC')}" +
        " AND (ts < toDateTime64('2025-01-01 06:00:00.000', 3, 'UTC')) GROUP BY team",
    );
  });

  it.each([
    ['2025-01-01T05:30:00Z', '2025-01-01T05:40:00Z', ['ts >= {from']],
    ['2025-01-01T05:30:00Z', '2025-01-01T06:10:00Z', ['ts >= {from']],
    ['2025-01-01T05:00:00Z', '2025-01-01T07:00:00Z', ['toStartOfHour(ts) >= to']],
    ['2025-01-01T07:00:00Z', '2025-01-01T07:00:00Z', ['ts >= {from']],
  ])('reads from %s to %s by %j', (from, to, pieces) => {
    const { sql } = new CostReportQuery({ groupBy: [], from: at(from), to: at(to), messages: 'none' }).toSql(
      'mill',
    );
    const found = [...sql.matchAll(/WHERE (.{10})/g)].map((match) => match[1]);
    expect(found).toEqual(pieces.map((piece) => piece.slice(0, 10)));
  });

  it('never names an aggregate like a column of its source', () => {
    for (const messages of messageCounts) {
      const { sql } = new CostReportQuery({ groupBy: ['team'], messages }).toSql('mill');
      const aliases = [...sql.matchAll(/\w\)* AS (\w+)/g)].map((match) => match[1]);
      expect(aliases.length).toBeGreaterThan(9);
      for (const alias of aliases) expect(alias).toMatch(/^(total_|part_|is_total)/);
    }
  });

  it('orders by the groups themselves when asked', () => {
    const { sql } = new CostReportQuery({
      groupBy: ['day', 'team'],
      order: { by: 'group', direction: 'asc' },
    }).toSql('m');
    expect(sql).toContain('ORDER BY is_total DESC, day ASC, team ASC');
  });

  it('tells that there are more groups than the limit', () => {
    const report = new CostReportQuery({ groupBy: ['team'], limit: 1 });
    const row = (isTotal: number, team: string): Record<string, unknown> => ({
      is_total: isTotal,
      team,
      total_cost: '0.1',
    });
    expect(report.read([row(1, ''), row(0, 'a'), row(0, 'b')])).toMatchObject({
      groups: [{ group: { team: 'a' } }],
      isTruncated: true,
    });
    expect(report.read([row(1, ''), row(0, 'a')]).isTruncated).toBe(false);
  });

  it('refuses a limit out of bounds and a field named twice', () => {
    expect(() => new CostReportQuery({ groupBy: [], limit: 0 })).toThrow(/limit/);
    expect(() => new CostReportQuery({ groupBy: [], limit: 10_001 })).toThrow(/limit/);
    expect(() => new CostReportQuery({ groupBy: ['team', 'team'] })).toThrow(/twice/);
  });
});
