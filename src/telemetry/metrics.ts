import { monitorEventLoopDelay } from 'node:perf_hooks';
import { collectDefaultMetrics, type OpenMetricsContentType, Registry } from 'prom-client';
import { invariant } from '../kernel/invariant.ts';
import { classicText, type ExpositionFormat } from './exposition.ts';
import { LabelFolding, type Room } from './label-folding.ts';
import { type MetricCatalogue, type MetricDefinition, metricPrefix } from './metric-definition.ts';
import {
  type LabelSet,
  type MetricFamily,
  type MetricRegistry,
  registerFamily,
  type Series,
} from './metric-family.ts';

/*
 * Metrics over a catalogue. Names and labels are checked by the compiler, values of closed labels when a
 * series is made. An update costs one key and one map look-up: each series is made once and kept. Memory is
 * bounded: open labels fold past their caps, stages where they are counted by model in a crowd, and past the cap of series
 * every open label.
 * Misuse (an unknown value of a closed label, a counter that would fall) fails an invariant.
 */

type NamesOf<Catalogue extends MetricCatalogue, Type extends MetricDefinition['type']> = {
  [Name in keyof Catalogue]: Catalogue[Name]['type'] extends Type ? Name : never;
}[keyof Catalogue] &
  string;

/** The labels of one metric: closed ones as a union of their values, open ones as text. */
export type LabelsOf<Definition extends MetricDefinition> = {
  readonly [
    Label in keyof Definition['labels']
  ]: Definition['labels'][Label] extends readonly (infer Value extends string)[] ? Value : string;
};

/** What code reports to. Who has the metrics of several catalogues has those of each, and not the other way round. */
export interface Metrics<out Catalogue extends MetricCatalogue> {
  /** Adds to a counter, 1 by default. */
  increment<Name extends NamesOf<Catalogue, 'counter'>>(
    name: Name,
    labels: LabelsOf<Catalogue[Name]>,
    by?: number,
  ): void;
  /** Sets a gauge. */
  set<Name extends NamesOf<Catalogue, 'gauge'>>(
    name: Name,
    labels: LabelsOf<Catalogue[Name]>,
    value: number,
  ): void;
  /**
   * Gives a gauge exactly these series: others disappear. For the few highest of many names, which change: the caller
   * bounds their number (at most 100), so that they do not fold; past the cap of series the last are left out.
   */
  replace<Name extends NamesOf<Catalogue, 'gauge'>>(
    name: Name,
    series: readonly { readonly labels: LabelsOf<Catalogue[Name]>; readonly value: number }[],
  ): void;
  /** Counts a value into a histogram; one that has exemplars keeps the trace id of some. */
  observe<Name extends NamesOf<Catalogue, 'histogram'>>(
    name: Name,
    labels: LabelsOf<Catalogue[Name]>,
    value: number,
    traceId?: string,
  ): void;
  /** Makes series at 0, so that their first increase is not lost; series that are there stay as they are. */
  initialise<Name extends keyof Catalogue & string>(
    name: Name,
    labelSets: Iterable<LabelsOf<Catalogue[Name]>>,
  ): void;
  /**
   * What brings gauges up to date before each exposition, which waits for it; it must not reject, and must end soon.
   * Answers how to take it back.
   */
  beforeRender(refresh: () => Promise<void>): () => void;
  /** The series of a counter as they stand, without bringing any gauge up to date. */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- only so is the name compared within its bound
  readCounter<Name extends NamesOf<Catalogue, 'counter'>>(
    name: Name,
  ): Promise<readonly { readonly labels: LabelSet; readonly value: number }[]>;
  /** Time series made so far, a histogram's buckets counted singly. */
  seriesCount(): number;
  /** Time series before further label sets fold. */
  readonly seriesCap: number;
  /** The exposition for a scrape, in the classic text format by default. */
  render(format?: ExpositionFormat): Promise<{ readonly contentType: string; readonly body: string }>;
}

export interface MetricsOptions {
  /** Where the metrics are registered; a new registry unless given. */
  readonly registry?: MetricRegistry;
  /** Also report the process, its memory and its event loop. Default false. */
  readonly processMetrics?: boolean;
  /** Distinct values of the label `model` before further ones count as `other`. Default 50. */
  readonly modelCap?: number;
  /** The same for every other open label. Default 200. */
  readonly openLabelCap?: number;
  /** Time series before further label sets fold. Default 4600, so that with the folded ones it stays under 5000. */
  readonly seriesCap?: number;
}

const misnamedDefaults = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];
const nanosecondsASecond = 1e9;
const separator = '\u0000';
const maxReplaced = 100;
/** The share of the cap from which on series by stage and model fold, to leave room for series by stage and by model. */
const crowdedShare = 0.6;

/** Registers the catalogue's metrics and returns the accessors. */
export function createMetrics<const Catalogue extends MetricCatalogue>(
  catalogue: Catalogue,
  options: MetricsOptions = {},
): Metrics<Catalogue> {
  const registry = options.registry ?? openMetricsRegistry();
  const folding = new LabelFolding({
    caps: { model: options.modelCap ?? 50 },
    defaultCap: options.openLabelCap ?? 200,
  });
  const seriesCap = options.seriesCap ?? 4600;
  const families = new Map<string, MetricFamily>();
  for (const [name, definition] of Object.entries<MetricDefinition>(catalogue)) {
    families.set(name, registerFamily(registry, name, definition));
  }
  if (options.processMetrics === true) {
    collectDefaultMetrics({ register: registry });
    // Gauges that are named like counters, which promtool refuses; the same numbers come by type under the plain names.
    for (const name of misnamedDefaults) registry.removeSingleMetric(name);
  }
  const refreshers = new Set<() => Promise<void>>();
  const eventLoop = options.processMetrics === true ? monitorEventLoopDelay({ resolution: 20 }) : undefined;
  eventLoop?.enable();
  let seriesCount = 0;

  function existingOrNew(family: MetricFamily, key: string, labels: LabelSet): Series {
    const known = family.series.get(key);
    if (known !== undefined) return known;
    checkLabels(family, labels);
    const { labels: folded, foldedNames } = folding.fold(family.definition.labels, labels, roomFor(family));
    if (foldedNames.length > 0) return foldedSeries(family, folded, foldedNames);
    return newSeries(family, key, folded);
  }

  function roomFor(family: MetricFamily): Room {
    const wanted = seriesCount + family.seriesSize;
    if (wanted > seriesCap) return 'none';
    return wanted > seriesCap * crowdedShare ? 'crowded' : 'enough';
  }

  function foldedSeries(family: MetricFamily, folded: LabelSet, foldedNames: readonly string[]): Series {
    const counter = families.get('metric_labels_folded_total');
    if (counter !== undefined && counter !== family) {
      for (const label of foldedNames) seriesOf(counter, { label })(1);
    }
    const key = keyOf(family.labelNames, folded);
    return family.series.get(key) ?? newSeries(family, key, folded);
  }

  function newSeries(family: MetricFamily, key: string, labels: LabelSet): Series {
    const series = family.make(labels);
    family.series.set(key, series);
    seriesCount += family.seriesSize;
    return series;
  }

  function seriesOf(family: MetricFamily, labels: LabelSet): Series {
    const key = keyOf(family.labelNames, labels);
    return family.series.get(key) ?? existingOrNew(family, key, labels);
  }

  function familyOf(name: string, type?: MetricDefinition['type']): MetricFamily {
    const family = families.get(name);
    invariant(
      family !== undefined && (type === undefined || family.definition.type === type),
      `${name} is a ${type ?? 'metric'} of the catalogue`,
    );
    return family;
  }

  function replaceSeries(
    family: MetricFamily,
    wanted: readonly { readonly labels: LabelSet; readonly value: number }[],
  ): void {
    const keys = new Set(wanted.map(({ labels }) => keyOf(family.labelNames, labels)));
    for (const key of [...family.series.keys()].filter((known) => !keys.has(known))) {
      family.remove?.(labelsOf(family.labelNames, key));
      family.series.delete(key);
      seriesCount -= family.seriesSize;
    }
    for (const { labels, value } of wanted) {
      invariant(Number.isFinite(value), `${family.name} is set to a finite value, not to ${value}`);
      const key = keyOf(family.labelNames, labels);
      const known = family.series.get(key);
      if (known === undefined && seriesCount + family.seriesSize > seriesCap) continue;
      checkLabels(family, labels);
      (known ?? newSeries(family, key, labels))(value);
    }
  }

  return {
    increment(name, labels, by = 1) {
      invariant(by >= 0 && by < Infinity, `${name} increases by a finite amount, not by ${by}`);
      seriesOf(familyOf(name, 'counter'), labels)(by);
    },
    set(name, labels, value) {
      invariant(Number.isFinite(value), `${name} is set to a finite value, not to ${value}`);
      seriesOf(familyOf(name, 'gauge'), labels)(value);
    },
    replace(name, series) {
      invariant(series.length <= maxReplaced, `${name} has at most ${maxReplaced} series that change`);
      replaceSeries(familyOf(name, 'gauge'), series);
    },
    observe(name, labels, value, traceId) {
      invariant(Number.isFinite(value), `${name} observes a finite value, not ${value}`);
      seriesOf(familyOf(name, 'histogram'), labels)(value, traceId);
    },
    initialise(name, labelSets) {
      const family = familyOf(name);
      for (const labels of labelSets) seriesOf(family, labels);
    },
    beforeRender(refresh) {
      refreshers.add(refresh);
      return () => void refreshers.delete(refresh);
    },
    async readCounter(name) {
      const counter = registry.getSingleMetric(metricPrefix + familyOf(name, 'counter').name);
      const { values } = (await counter?.get()) ?? { values: [] };
      return values.map(({ labels, value }) => ({
        labels: Object.fromEntries(Object.entries(labels).map(([label, text]) => [label, String(text)])),
        value,
      }));
    },
    seriesCount: () => seriesCount,
    seriesCap,
    async render(format = 'text') {
      await Promise.all([...refreshers].map((refresh) => refresh()));
      const gauge = families.get('metric_series');
      if (gauge !== undefined) seriesOf(gauge, {})(seriesCount);
      const lag = families.get('event_loop_lag_seconds');
      if (eventLoop !== undefined && lag !== undefined && eventLoop.count > 0) {
        seriesOf(lag, {})(eventLoop.percentile(99) / nanosecondsASecond);
        eventLoop.reset();
      }
      const body = await registry.metrics();
      return format === 'openmetrics'
        ? { contentType: Registry.OPENMETRICS_CONTENT_TYPE, body }
        : { contentType: Registry.PROMETHEUS_CONTENT_TYPE, body: classicText(body) };
    },
  };
}

/** A registry that knows exemplars. */
export function openMetricsRegistry(): MetricRegistry {
  const registry: MetricRegistry = new Registry<OpenMetricsContentType>();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  return registry;
}

function keyOf(labelNames: readonly string[], labels: LabelSet): string {
  let key = '';
  for (const name of labelNames) key += (labels[name] ?? '') + separator;
  return key;
}

/** The labels that a key was made of. */
function labelsOf(labelNames: readonly string[], key: string): LabelSet {
  const values = key.split(separator);
  return Object.fromEntries(labelNames.map((name, index) => [name, values[index] ?? '']));
}

function checkLabels(family: MetricFamily, labels: LabelSet): void {
  const given = Object.keys(labels);
  invariant(
    given.length === family.labelNames.length,
    `${family.name} has the labels ${family.labelNames.join(', ')}, not ${given.join(', ')}`,
  );
  for (const [name, allowed] of Object.entries(family.definition.labels)) {
    const value = labels[name];
    invariant(
      typeof value === 'string' && !value.includes(separator),
      `${family.name} has a text as ${name}`,
    );
    invariant(allowed === 'open' || allowed.includes(value), `"${value}" is a ${name} of ${family.name}`);
  }
}
