import { describe, expect, it } from 'vitest';
import { expandPromql, expandSql } from './grafana-macros.ts';

const view = { fromSeconds: 1000, toSeconds: 1060, stepSeconds: 10 };

describe('the macros of Grafana', () => {
  it('give PromQL its windows and the chosen values', () => {
    expect(expandPromql('rate(a{stage=~"$stage"}[$__rate_interval])', view)).toBe(
      'rate(a{stage=~".*"}[12s])',
    );
    expect(
      expandPromql('increase(a{stage=~"$stage"}[$__range])', { ...view, chosen: { stage: ['b', 'c'] } }),
    ).toBe('increase(a{stage=~"(b|c)"}[60s])');
  });

  it('give SQL its times', () => {
    expect(expandSql('SELECT $__timeInterval(ts) WHERE $__timeFilter(ts)', view)).toBe(
      'SELECT toStartOfInterval(toDateTime(ts), INTERVAL 10 second) WHERE ts >= toDateTime(1000) AND ts <= toDateTime(1060)',
    );
    expect(expandSql('ts < $__fromTime - ($__toTime - $__fromTime)', view)).toBe(
      'ts < toDateTime(1000) - (toDateTime(1060) - toDateTime(1000))',
    );
  });

  it('leave a condition out while all values are chosen, and quote the values otherwise', () => {
    const sql =
      'a AND $__conditionalAll(team IN (${team:singlequote}), $team) AND $__conditionalAll(model IN (${model:singlequote}), $model)';
    expect(expandSql(sql, view)).toBe('a AND 1=1 AND 1=1');
    expect(expandSql(sql, { ...view, chosen: { team: ["it's", 'b'] } })).toBe(
      String.raw`a AND team IN ('it\'s','b') AND 1=1`,
    );
  });

  it('fail when something is left over', () => {
    expect(() => expandPromql('rate(a[$__interval_ms])', view)).toThrow('every variable is replaced');
    expect(() => expandSql('SELECT $__adHocFilters', view)).toThrow('every macro and variable is replaced');
  });
});
