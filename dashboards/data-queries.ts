import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';

/* A panel's question to one of the two data sources, which the board's variables name. */

export const prometheusSource = { type: 'prometheus', uid: '${prometheus}' } as const;
export const clickhouseSource = { type: 'grafana-clickhouse-datasource', uid: '${clickhouse}' } as const;

/** The plugin that the queries are written for. */
const clickhousePlugin = '4.20.0';

export interface PromQuery {
  readonly kind: 'promql';
  readonly expr: string;
  /** "{{stage}}"; also a constant text. */
  readonly legend: string;
}

export interface SqlQuery {
  readonly kind: 'sql';
  readonly sql: string;
}

/** A question in PromQL. */
export function promql(expr: string, legend: string): PromQuery {
  return { kind: 'promql', expr, legend };
}

/** A question in SQL; indentation and line breaks of the source do not matter. */
export function sql(text: string): SqlQuery {
  return { kind: 'sql', sql: text.trim().replaceAll(/\s+/g, ' ') };
}

/** What a panel does with the answer. */
export type AnswerShape = 'series' | 'latest' | 'table' | 'heatmap';

/** The query as the SDK's panels take it. */
export function dataquery(
  query: PromQuery | SqlQuery,
  shape: AnswerShape,
  index: number,
): Builder<Dataquery> {
  const refId = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'.charAt(index);
  return query.kind === 'sql'
    ? new ClickHouseQueryBuilder(query.sql, shape, refId)
    : prometheusQuery(query, shape, refId);
}

function prometheusQuery({ expr, legend }: PromQuery, shape: AnswerShape, refId: string): DataqueryBuilder {
  const builder = new DataqueryBuilder().refId(refId).datasource(prometheusSource).expr(expr);
  switch (shape) {
    case 'series':
      return builder.legendFormat(legend).range().format(PromQueryFormat.TimeSeries);
    case 'latest':
      return builder.legendFormat(legend).instant().format(PromQueryFormat.TimeSeries);
    case 'table':
      return builder.instant().format(PromQueryFormat.Table);
    case 'heatmap':
      return builder.legendFormat('{{le}}').range().format(PromQueryFormat.Heatmap);
  }
}

/** A query of the ClickHouse plugin, for which the SDK has no builder. */
class ClickHouseQueryBuilder implements Builder<Dataquery> {
  readonly #sql: string;
  readonly #shape: AnswerShape;
  readonly #refId: string;

  constructor(text: string, shape: AnswerShape, refId: string) {
    this.#sql = text;
    this.#shape = shape;
    this.#refId = refId;
  }

  build(): Dataquery {
    const isSeries = this.#shape === 'series';
    const query = {
      refId: this.#refId,
      datasource: { ...clickhouseSource },
      editorType: 'sql',
      queryType: isSeries ? 'timeseries' : 'table',
      format: isSeries ? 0 : 1,
      rawSql: this.#sql,
      pluginVersion: clickhousePlugin,
      // The SDK marks queries by a function; it does not reach the JSON.
      _implementsDataqueryVariant: () => undefined,
    };
    return query;
  }
}
