import { metricCatalogue } from '../src/host/metric-catalogue.ts';
import { metricPrefix, type MetricDefinition } from '../src/telemetry/metric-definition.ts';
import { markdownTable } from './markdown-table.ts';

/** docs/metrics.md: every metric of the catalogue with its labels. */
export function metricsDocument(): string {
  const rows = Object.entries<MetricDefinition>(metricCatalogue).map(([name, metric]) => [
    `\`${metricPrefix}${name}\``,
    metric.type,
    metric.unit,
    labelText(metric),
    metric.help,
    metric.type === 'histogram' ? metric.buckets.join(' ') : '',
  ]);
  return `# Metrics

<!-- Generated from src/host/metric-catalogue.ts by \`npm run generate\`. Do not edit. -->

What \`/metrics\` shows, besides the process and event loop metrics of prom-client (\`process_*\`, \`nodejs_*\`).
A label with listed values has no others. \`owner\` is the team that owns a stage. A model, provider or other
open value past its cap is counted as \`other\`. Known series start at 0. Customer, feature and message are
never labels: they are columns of the usage records. The one exception, \`name\`, has few values at a time.

${markdownTable(['Metric', 'Type', 'Unit', 'Labels', 'Meaning', 'Buckets'], rows)}`;
}

function labelText(metric: MetricDefinition): string {
  return Object.entries(metric.labels)
    .map(([label, values]) =>
      values === 'open' ? label : `${label} = ${values.map((value) => value || '(empty)').join(', ')}`,
    )
    .join('; ');
}
