import { closedNames } from '../src/host/closed-names.ts';
import type { ExpositionFormat } from '../src/telemetry/exposition.ts';
import { metricCatalogue } from '../src/host/metric-catalogue.ts';
import type { MetricDefinition } from '../src/telemetry/metric-definition.ts';
import { createMetrics } from '../src/telemetry/metrics.ts';
import type { MillraceMetrics } from '../src/host/metric-catalogue.ts';
import { benchOptions } from './bench-options.ts';
import { median, percentile } from './statistics.ts';

const help = `node bench/metrics.ts

What /metrics costs a process that has seen all that one process can see: 30 stages of 10 owners, 10 models of 3
providers, 50 teams with a budget each; every outcome, error and reason that is not a rarity. Once with two models a
stage, and once with every stage asking every model. Fails when a scrape takes 50 ms or has 5,000 series.
`;
benchOptions(help, {});

const limits = { renderMs: 50, series: 5000 };
const scrapes = 50;
const traceId = '0af7651916cd43dd8448eb211c80319c';

const stages = Array.from({ length: 30 }, (_, n) => ({ owner: `owner-${n % 10}`, stage: `stage-${n}` }));
const models = Array.from({ length: 10 }, (_, n) => ({ provider: `provider-${n % 3}`, model: `model-${n}` }));
const budgets = Array.from({ length: 50 }, (_, n) => ({ team: `team-${n}`, budget: `budget-${n}` }));

/** Values that most processes never see, or that only tell why something else is counted. */
const seldom = new Set(['context_too_long', 'not_found', 'authentication', 'bad_request', 'content_policy']);
const tokenClassesSeen = new Set(['uncached_input', 'cache_read', 'text_output', 'reasoning']);

type Labels = Readonly<Record<string, string>>;

/** The label sets of a metric that such a process sees. */
function labelSetsOf(name: string, definition: MetricDefinition, modelsPerStage: number): Labels[] {
  const labels = Object.keys(definition.labels);
  let sets: Labels[] = [{}];
  const times = (values: readonly Labels[]): void => {
    sets = sets.flatMap((set) => values.map((value) => ({ ...set, ...value })));
  };
  const only = (value: Labels): Labels =>
    Object.fromEntries(Object.entries(value).filter(([label]) => labels.includes(label)));
  if (labels.includes('stage') && labels.includes('model')) {
    times(
      stages.flatMap((stage, n) =>
        Array.from({ length: modelsPerStage }, (_, m) =>
          only({ ...stage, ...models[(n + m) % models.length] }),
        ),
      ),
    );
  } else if (labels.includes('stage')) times(stages.map(only));
  else if (labels.includes('model')) times(models.map(only));
  if (labels.includes('budget')) times(budgets.map(only));
  for (const [label, values] of Object.entries(definition.labels)) {
    if (label in (sets[0] ?? {})) continue;
    if (values === 'open') times([{ [label]: 'one' }, { [label]: 'two' }]);
    else times(values.filter((value) => isSeen(label, value)).map((value) => ({ [label]: value })));
  }
  return name === 'llm_requests_total'
    ? sets.filter(({ outcome, error_type: error }) => (outcome === 'ok') === (error === ''))
    : sets;
}

function isSeen(label: string, value: string): boolean {
  return label === 'class' ? tokenClassesSeen.has(value) : !seldom.has(value);
}

function feed(metrics: MillraceMetrics, modelsPerStage: number): void {
  for (const [name, definition] of Object.entries<MetricDefinition>(metricCatalogue)) {
    const known = name as keyof typeof metricCatalogue;
    const sets = labelSetsOf(name, definition, modelsPerStage);
    metrics.initialise(known, sets as never);
    if (definition.type !== 'histogram') continue;
    for (const labels of sets)
      for (const bucket of definition.buckets) metrics.observe(known as never, labels, bucket, traceId);
  }
}

async function scrapeMs(metrics: MillraceMetrics, format: ExpositionFormat): Promise<number[]> {
  const times: number[] = [];
  for (let scrape = 0; scrape < scrapes; scrape += 1) {
    const startedMs = performance.now();
    await metrics.render(format);
    times.push(performance.now() - startedMs);
  }
  return times;
}

let isWithin = true;
for (const modelsPerStage of [2, models.length]) {
  const metrics = createMetrics(metricCatalogue, { processMetrics: true });
  feed(metrics, modelsPerStage);
  const { body } = await metrics.render('openmetrics');
  const lines = body.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const folded = lines.filter((line) => line.startsWith('millrace_') && line.includes('="other"')).length;
  console.log(
    `${stages.length} stages, ${modelsPerStage} models each: ${metrics.seriesCount()} series of ours, ${lines.length} lines, ` +
      `${folded} of them folded, ${closedNames.bounds.length} bounds, ${(body.length / 1024).toFixed(0)} KiB`,
  );
  isWithin &&= metrics.seriesCount() < limits.series;
  for (const format of ['text', 'openmetrics'] as const) {
    const times = await scrapeMs(metrics, format);
    console.log(
      `  ${format}: median ${median(times).toFixed(1)} ms, p95 ${percentile(times, 0.95).toFixed(1)} ms`,
    );
    isWithin &&= median(times) < limits.renderMs;
  }
}
if (!isWithin) process.exitCode = 1;
