/* What the catalogue says about one metric. */

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
