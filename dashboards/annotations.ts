import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import { type AnnotationQuery, AnnotationQueryBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { prometheusSource } from './data-queries.ts';
import { maximum, series } from './promql.ts';

/** What happened while the curves went their way: new versions, pauses, alerts. */
export const annotations: readonly Builder<AnnotationQuery>[] = [
  // Each start of each process, at its own time.
  new AnnotationQueryBuilder()
    .name('Deploys')
    .datasource(prometheusSource)
    .enable(true)
    .iconColor('blue')
    .expr(
      `max by (version, role, instance) (process_start_time_seconds * on (job, instance) group_right () ${series('build_info')}) * 1000`,
    )
    .useValueForTime(true)
    .titleFormat('Start of {{version}}')
    .textFormat('{{role}} at {{instance}}'),
  new AnnotationQueryBuilder()
    .name('Pauses')
    .datasource(prometheusSource)
    .enable(true)
    .iconColor('orange')
    .expr(`${maximum('stage_paused', { by: ['owner', 'stage'] })} == 1`)
    .titleFormat('{{stage}} is paused')
    .tagKeys('owner,stage'),
  new AnnotationQueryBuilder()
    .name('Alerts')
    .datasource(prometheusSource)
    .enable(true)
    .iconColor('red')
    .expr('ALERTS{alertstate="firing",alertname=~"Millrace.*"}')
    .titleFormat('{{alertname}}')
    .textFormat('{{stage}} {{provider}} {{model}}')
    .tagKeys('severity,owner'),
];
