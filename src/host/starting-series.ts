import type { RegisteredStage } from '../engine/pipeline/stage-registry.ts';
import type { LabelValues, MetricCatalogue, MetricDefinition } from '../telemetry/metric-definition.ts';
import type { MillraceMetrics } from './metric-catalogue.ts';

/*
 * A counter whose series appears with its first event has no increase that Prometheus could see: the first failure would be
 * missing in every rate and every alert. So whatever can be counted by the values of closed labels, and by the stages of
 * this host, is there from the start, at 0.
 */

interface Known {
  readonly version: string;
  readonly roles: readonly string[];
  readonly stages: readonly RegisteredStage[];
  /** The metrics that there are. */
  readonly catalogue: MetricCatalogue;
}

type Labels = Readonly<Record<string, string>>;

/** Makes every series that is known at start, so that no first increase is lost. */
export function initialiseSeries(metrics: MillraceMetrics, known: Known): void {
  for (const role of known.roles) metrics.set('build_info', { version: known.version, role }, 1);
  metrics.set('origin_coverage_ratio', {}, 1);
  for (const label of openLabels(known.catalogue))
    metrics.initialise('metric_labels_folded_total', [{ label }]);
  for (const [name, definition] of Object.entries(known.catalogue)) {
    if (definition.type !== 'counter') continue;
    const series = startingSeries(definition, known.stages);
    // The labels are the definition's own, which the compiler cannot follow from the name.
    metrics.initialise(name as 'lease_expired_total', series as readonly Record<never, never>[]);
  }
}

/** The series of a counter that are known at start; none where providers, models or configuration name them. */
export function startingSeries(
  { labels }: MetricDefinition,
  stages: readonly RegisteredStage[],
): readonly Labels[] {
  const isOf = (label: string): boolean => labels[label] === 'open';
  const named = stages.map(({ definition: { owner, name: stage } }) => ({
    ...(isOf('owner') ? { owner } : {}),
    ...(isOf('stage') ? { stage } : {}),
  }));
  let series: readonly Labels[] = isOf('owner') || isOf('stage') ? named : [{}];
  for (const [label, values] of Object.entries<LabelValues>(labels)) {
    if (values !== 'open')
      series = series.flatMap((one) => values.map((value) => ({ ...one, [label]: value })));
    else if (label !== 'owner' && label !== 'stage') return [];
  }
  return series;
}

/** The labels that can fold into "other". */
function openLabels(catalogue: MetricCatalogue): ReadonlySet<string> {
  const { metric_labels_folded_total: _, ...others } = catalogue;
  const open = Object.values<MetricDefinition>(others).flatMap(({ labels }) =>
    Object.entries(labels).flatMap(([label, values]) => (values === 'open' ? [label] : [])),
  );
  return new Set(open);
}
