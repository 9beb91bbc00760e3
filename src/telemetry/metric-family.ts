import { Counter, Gauge, Histogram, type OpenMetricsContentType, type Registry } from 'prom-client';
import { invariant } from '../kernel/invariant.ts';
import { type MetricDefinition, metricPrefix } from './metric-definition.ts';

/*
 * One metric with its series. Counters and gauges add up here and reach the registry at the scrape, which
 * takes the registry's own hashing of labels off the hot path; histograms go there at once.
 */

export type LabelSet = Readonly<Record<string, string>>;

/** What a family is registered in. */
export type MetricRegistry = Registry<OpenMetricsContentType>;

/** One series: a number goes in, of a histogram with exemplars with its trace. */
export type Series = (value: number, traceId?: string) => void;

export interface MetricFamily {
  readonly name: string;
  readonly definition: MetricDefinition;
  readonly labelNames: readonly string[];
  /** By the label values as given; only sets that did not fold, so that it is bounded. */
  readonly series: Map<string, Series>;
  /** Makes the series at 0. */
  readonly make: (labels: LabelSet) => Series;
  /** Takes a gauge's series off the exposition; other metrics keep theirs for good. */
  readonly remove?: (labels: LabelSet) => void;
  /** Lines of the exposition that one series takes. */
  readonly seriesSize: number;
}

/** Registers a metric under its prefixed name. Fails when the registry has one of that name. */
export function registerFamily(
  registry: MetricRegistry,
  name: string,
  definition: MetricDefinition,
): MetricFamily {
  const labelNames = Object.keys(definition.labels);
  const fullName = metricPrefix + name;
  invariant(registry.getSingleMetric(fullName) === undefined, `${fullName} is registered once`);
  const configuration = { name: fullName, help: definition.help, labelNames, registers: [registry] };
  const family = { name, definition, labelNames, series: new Map<string, Series>() };
  switch (definition.type) {
    case 'counter':
      return { ...family, make: counterSeries(configuration), seriesSize: 1 };
    case 'gauge':
      return { ...family, ...gaugeSeries(configuration), seriesSize: 1 };
    case 'histogram': {
      const buckets = [...definition.buckets];
      // Its buckets, the one without bound, sum and count.
      const seriesSize = buckets.length + 3;
      const enableExemplars = definition.hasExemplars === true;
      const make = histogramSeries({ ...configuration, buckets, enableExemplars });
      return { ...family, make, seriesSize };
    }
  }
}

interface MetricConfiguration {
  readonly name: string;
  readonly help: string;
  readonly labelNames: string[];
  readonly registers: MetricRegistry[];
}

function counterSeries(configuration: MetricConfiguration): (labels: LabelSet) => Series {
  const flushes: (() => void)[] = [];
  const counter = new Counter({ ...configuration, collect: () => flushAll(flushes) });
  return (labels) => {
    const child = counter.labels(labels);
    let pending = 0;
    flushes.push(() => {
      child.inc(pending);
      pending = 0;
    });
    return (by) => {
      pending += by;
    };
  };
}

function gaugeSeries(configuration: MetricConfiguration): Required<Pick<MetricFamily, 'make' | 'remove'>> {
  const flushes = new Map<string, () => void>();
  const gauge = new Gauge({ ...configuration, collect: () => flushAll(flushes.values()) });
  const keyOf = (labels: LabelSet): string =>
    JSON.stringify(configuration.labelNames.map((name) => labels[name]));
  return {
    make(labels) {
      const child = gauge.labels(labels);
      let latest = 0;
      flushes.set(keyOf(labels), () => child.set(latest));
      return (value) => {
        latest = value;
      };
    },
    remove(labels) {
      flushes.delete(keyOf(labels));
      gauge.remove(labels);
    },
  };
}

function histogramSeries(
  configuration: MetricConfiguration & { readonly buckets: number[]; readonly enableExemplars: boolean },
): (labels: LabelSet) => Series {
  const histogram = new Histogram(configuration);
  const { buckets, enableExemplars } = configuration;
  return (labels) => {
    histogram.zero(labels);
    const child = histogram.labels(labels);
    if (!enableExemplars) return (value) => child.observe(value);
    const isDue = exemplarPace(buckets);
    return (value, traceId) => {
      if (traceId !== undefined && isDue(value))
        histogram.observe({ labels, value, exemplarLabels: { trace_id: traceId } });
      else child.observe(value);
    };
  };
}

/** One exemplar costs as much as several observations. */
const observationsPerExemplar = 16;

/**
 * Whether an observation may leave its trace: a bucket takes one when the series has seen enough others since its last. So the
 * slow ones, which are few, are nearly all there, and the many quick ones cost little.
 */
function exemplarPace(buckets: readonly number[]): (value: number) => boolean {
  const takenAt = new Map<number, number>();
  let seen = 0;
  return (value) => {
    seen += 1;
    const bucket = buckets.findIndex((bound) => value <= bound);
    const last = takenAt.get(bucket);
    if (last !== undefined && seen - last < observationsPerExemplar) return false;
    takenAt.set(bucket, seen);
    return true;
  };
}

function flushAll(flushes: Iterable<() => void>): void {
  for (const flush of flushes) flush();
}
