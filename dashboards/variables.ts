import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  type VariableModel,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { metricPrefix } from '../src/telemetry/metric-definition.ts';
import { clickhouseSource, prometheusSource } from './data-queries.ts';

/* What a reader can choose at the head of a board. Names are the same on every board, so that links carry them. */

type Variable = Builder<VariableModel>;

/** The Prometheus and the ClickHouse that a board asks. */
export const dataSourceVariables: readonly Variable[] = [
  new DatasourceVariableBuilder('prometheus').label('Prometheus').type('prometheus'),
  new DatasourceVariableBuilder('clickhouse').label('ClickHouse').type(clickhouseSource.type),
];

/** `owner` and `stage`, as Prometheus knows them. */
export const stageVariables: readonly Variable[] = [
  fromPrometheus('owner', 'Owner', `${metricPrefix}stage_messages_total`),
  fromPrometheus('stage', 'Stage', `${metricPrefix}stage_messages_total{owner=~"$owner"}`),
];

/** `provider` and `model`, as Prometheus knows them. */
export const modelVariables: readonly Variable[] = [
  fromPrometheus('provider', 'Provider', `${metricPrefix}llm_requests_total`),
  fromPrometheus('model', 'Model', `${metricPrefix}llm_requests_total{provider=~"$provider"}`),
];

/** Columns of usage records that a board can be filtered by. */
export type UsageDimension = 'team' | 'customer' | 'feature' | 'batch' | 'stage' | 'model';

const maxChoices = 1000;

/** One variable a column, with the values that the usage records of the time range have. */
export function usageVariables(dimensions: readonly UsageDimension[]): readonly Variable[] {
  return dimensions.map((name) =>
    choice(name, name.charAt(0).toUpperCase() + name.slice(1))
      .datasource(clickhouseSource)
      .query(
        `SELECT DISTINCT ${name} FROM millrace.usage WHERE $__timeFilter(ts) AND ${name} != '' ORDER BY ${name} LIMIT ${maxChoices}`,
      ),
  );
}

/** The condition that the chosen values of the variables set; all values set none. */
export function chosen(dimensions: readonly UsageDimension[]): string {
  return dimensions
    .map((name) => `$__conditionalAll(${name} IN (\${${name}:singlequote}), $${name})`)
    .join(' AND ');
}

function fromPrometheus(name: string, label: string, from: string): Variable {
  return choice(name, label)
    .datasource(prometheusSource)
    .query(`label_values(${from}, ${name})`)
    .allValue('.*');
}

function choice(name: string, label: string): QueryVariableBuilder {
  return (
    new QueryVariableBuilder(name)
      .label(label)
      .multi(true)
      .includeAll(true)
      .current({ selected: true, text: 'All', value: '$__all' })
      // oxlint-disable-next-line unicorn/no-array-sort -- a builder's option, no array
      .sort(VariableSort.AlphabeticalAsc)
      .refresh(VariableRefresh.OnTimeRangeChanged)
  );
}
