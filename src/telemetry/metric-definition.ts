/*
 * What a catalogue says about one metric. Every metric stands as data with its owner: the engine, a capability or the host, which puts
 * them together (src/host/metric-catalogue.ts). Names are without the prefix. A label lists its only values, or is
 * 'open': its values come from configuration or providers and fold into `other` past a cap. A metric stands in a catalogue
 * only when something feeds it.
 */

/** Stands before every name on /metrics. */
export const metricPrefix = 'millrace_';

/** A label's only values, or 'open'. */
export type LabelValues = readonly string[] | 'open';

interface MetricBasics {
  readonly unit: string;
  readonly labels: Readonly<Record<string, LabelValues>>;
  readonly help: string;
}

export type MetricDefinition = MetricBasics &
  (
    | { readonly type: 'counter' | 'gauge' }
    /** Upper bounds, ascending. */
    | {
        readonly type: 'histogram';
        readonly buckets: readonly number[];
        /** Keeps the trace of an observation now and then, for each bucket. */
        readonly hasExemplars?: true;
      }
  );

export type MetricCatalogue = Readonly<Record<string, MetricDefinition>>;
