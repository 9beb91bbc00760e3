import { describe, expect, it } from 'vitest';
import { messageCounts } from './cost-query.ts';
import { CostReportQuery } from './usage-queries.ts';

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
    [{ groupBy: [] }, ['day', 'hour']],
    [{ groupBy: ['team', 'hour'] }, ['hour']],
    [{ groupBy: ['day', 'model'], from: at('2025-01-01T05:30:00Z') }, ['day', 'hour']],
    [{ groupBy: ['waste', 'batch'], filters: { stage: ['s'] } }, ['hour']],
    [{ groupBy: ['customer'] }, ['customers']],
    [{ groupBy: ['feature', 'day'], filters: { customer: ['c'] } }, ['customers']],
    [{ groupBy: ['customer', 'hour'] }, []],
    [{ groupBy: ['customer', 'waste'] }, []],
    [{ groupBy: ['model'], filters: { customer: ['c'] } }, []],
  ] as const)('reads %j from the rollups %j', (query, rollups) => {
    expect(new CostReportQuery(query).rollups).toEqual(rollups);
  });

  const at1 = (hour: string): string => `toDateTime64('2025-01-01 ${hour}:00.000', 3, 'UTC')`;
  const days = "toDate(ts, 'UTC')";
  it.each([
    ['01T05:30', '01T05:40', ['ts >= {from} AND ts < {to}']],
    ['01T05:30', '01T06:10', ['ts >= {from} AND ts < {to}']],
    ['01T07:00', '01T07:00', ['ts >= {from} AND ts < {to}']],
    [
      '01T05:00',
      '01T07:00',
      [`toStartOfHour(ts) >= ${at1('05:00')} AND toStartOfHour(ts) < ${at1('07:00')}`],
    ],
    [
      '01T05:30',
      '01T07:00',
      [
        `toStartOfHour(ts) >= ${at1('06:00')} AND toStartOfHour(ts) < ${at1('07:00')}`,
        `ts >= {from} AND ts < {to} AND (ts < ${at1('06:00')})`,
      ],
    ],
    ['02T00:00', '04T00:00', [`${days} >= toDate('2025-01-02') AND ${days} < toDate('2025-01-04')`]],
    [
      '01T05:00',
      '04T00:00',
      [
        `${days} >= toDate('2025-01-02') AND ${days} < toDate('2025-01-04')`,
        `toStartOfHour(ts) >= ${at1('05:00')} AND toStartOfHour(ts) < ${at1('00:00').replace('01-01', '01-04')}` +
          ` AND (toStartOfHour(ts) < ${at1('00:00').replace('01-01', '01-02')})`,
      ],
    ],
  ])('asks from %s to %s for whole days, whole hours and the rows that are left', (from, to, pieces) => {
    const period = { from: at(`2025-01-${from}:00Z`), to: at(`2025-01-${to}:00Z`) };
    const { sql } = new CostReportQuery({ groupBy: [], ...period, messages: 'none' }).toSql('mill');
    const found = [...sql.matchAll(/WHERE (.*)/g)].map((match) =>
      (match[1] ?? '').replaceAll(":DateTime64(3, 'UTC')", ''),
    );
    expect(found).toEqual(pieces);
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
