import { describe, expect, it } from 'vitest';
import { CostReportQuery } from './usage-queries.ts';

const at = (text: string): Date => new Date(text);

describe('CostReportQuery', () => {
  it('asks for groups and their total in one statement', () => {
    const { sql, parameters } = new CostReportQuery({ groupBy: ['team', 'customer'], limit: 5 }).toSql(
      'mill',
    );
    expect(sql).toContain('FROM mill.usage\n');
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
    [{ groupBy: ['team', 'hour'], countMessages: false }, 'usage_hourly'],
    [{ groupBy: ['day', 'model'], from: at('2025-01-01T05:00:00Z'), countMessages: false }, 'usage_hourly'],
    [{ groupBy: ['team'] }, 'usage'],
    [{ groupBy: ['customer'], countMessages: false }, 'usage'],
    [{ groupBy: ['team'], filters: { batch: ['b'] }, countMessages: false }, 'usage'],
    [{ groupBy: ['team'], from: at('2025-01-01T05:30:00Z'), countMessages: false }, 'usage'],
  ] as const)('reads %j from %s', (query, table) => {
    expect(new CostReportQuery(query).table).toBe(table);
  });

  it('never names an aggregate like a column of its source', () => {
    for (const countMessages of [true, false]) {
      const { sql } = new CostReportQuery({ groupBy: ['team'], countMessages }).toSql('mill');
      const aliases = [...sql.matchAll(/\) AS (\w+)/g)].map((match) => match[1]);
      expect(aliases.length).toBeGreaterThan(9);
      for (const alias of aliases) expect(alias).toMatch(/^(total_|is_total)/);
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
