import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { directoryOf, prometheusPrograms } from './required-programs.ts';
import { freePort, ServerProcess } from './server-process.ts';

export interface ScrapeJob {
  readonly job: string;
  /** "127.0.0.1:9464", without scheme. */
  readonly targets: readonly string[];
  /** Default: /metrics. */
  readonly path?: string;
}

export interface PrometheusOptions {
  readonly scrape: readonly ScrapeJob[];
  /** How often it scrapes and evaluates rules, as Prometheus writes it ("500ms", "2s"). Default: 1s. */
  readonly interval?: string;
  /** Absolute paths of rule files. */
  readonly ruleFiles?: readonly string[];
  /** Where alerts go: "127.0.0.1:9093". */
  readonly alertmanagers?: readonly string[];
  /** After how long an alert that goes on is sent again. Default: 1m. */
  readonly resendDelay?: string;
}

/** One series of an answer: its labels, and [seconds, value] pairs; an instant query has one pair. */
export interface PrometheusSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly points: readonly (readonly [seconds: number, value: number])[];
}

/** A running Prometheus. */
export interface PrometheusServer {
  readonly url: string;
  readonly pid: number;
  readonly logFile: string;
  /** An instant query, of now unless told otherwise. */
  query(expression: string, atSeconds?: number): Promise<readonly PrometheusSeries[]>;
  queryRange(
    expression: string,
    range: { readonly fromSeconds: number; readonly toSeconds: number; readonly stepSeconds: number },
  ): Promise<readonly PrometheusSeries[]>;
  /** What its API answers under /api/v1/…, as it is. Fails when the API does. */
  api(path: string, parameters?: Readonly<Record<string, string>>): Promise<unknown>;
  stop(): Promise<void>;
}

interface QueryAnswer {
  readonly result: readonly {
    readonly metric: Readonly<Record<string, string>>;
    readonly value?: readonly [number, string];
    readonly values?: readonly (readonly [number, string])[];
  }[];
}

const requestTimeoutMs = 30_000;

/** Starts a Prometheus of its own in a temporary directory, on a free port of 127.0.0.1. */
export async function startPrometheus(options: PrometheusOptions): Promise<PrometheusServer> {
  const home = mkdtempSync(join(tmpdir(), 'millrace-prometheus-'));
  const port = await freePort();
  const configuration = join(home, 'prometheus.yml');
  const logFile = join(home, 'log');
  writeFileSync(configuration, stringify(configurationOf(options)));
  const server = new ServerProcess({
    program: join(directoryOf(prometheusPrograms()), 'prometheus'),
    arguments: [
      `--config.file=${configuration}`,
      `--storage.tsdb.path=${join(home, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--web.enable-lifecycle',
      `--rules.alert.resend-delay=${options.resendDelay ?? '1m'}`,
      '--log.level=warn',
    ],
    logFile,
    signalWithoutParent: 'KILL',
  });
  const url = `http://127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    if (!server.hasEnded) await server.end('SIGTERM');
    rmSync(home, { recursive: true, force: true });
  };
  try {
    await server.waitUntil(() => isReady(url));
  } catch (error) {
    await stop();
    throw error;
  }
  const api = (path: string, parameters: Readonly<Record<string, string>> = {}): Promise<unknown> =>
    askApi(url, path, parameters);
  return {
    url,
    pid: server.pid,
    logFile,
    api,
    query: async (expression, atSeconds) =>
      seriesOf(
        await api('query', {
          query: expression,
          ...(atSeconds === undefined ? {} : { time: String(atSeconds) }),
        }),
      ),
    queryRange: async (expression, { fromSeconds, toSeconds, stepSeconds }) =>
      seriesOf(
        await api('query_range', {
          query: expression,
          start: String(fromSeconds),
          end: String(toSeconds),
          step: String(stepSeconds),
        }),
      ),
    stop,
  };
}

function configurationOf(options: PrometheusOptions): object {
  const { scrape, interval = '1s', ruleFiles = [], alertmanagers = [] } = options;
  return {
    global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
    rule_files: [...ruleFiles],
    alerting: { alertmanagers: [{ static_configs: [{ targets: [...alertmanagers] }] }] },
    scrape_configs: scrape.map(({ job, targets, path = '/metrics' }) => ({
      job_name: job,
      metrics_path: path,
      static_configs: [{ targets: [...targets] }],
    })),
  };
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/-/ready`, { signal: AbortSignal.timeout(1000) })).ok;
  } catch {
    // Not listening yet.
    return false;
  }
}

/** By POST, as long expressions need. */
async function askApi(
  url: string,
  path: string,
  parameters: Readonly<Record<string, string>>,
): Promise<unknown> {
  const query = Object.keys(parameters).length > 0;
  const response = await fetch(`${url}/api/v1/${path}`, {
    signal: AbortSignal.timeout(requestTimeoutMs),
    ...(query ? { method: 'POST', body: new URLSearchParams(parameters) } : {}),
  });
  const answer = (await response.json()) as { status: string; data?: unknown; error?: string };
  if (answer.status !== 'success') throw new Error(`${answer.error ?? path}: ${parameters['query'] ?? ''}`);
  return answer.data;
}

function seriesOf(data: unknown): PrometheusSeries[] {
  return (data as QueryAnswer).result.map(({ metric, value, values }) => ({
    labels: metric,
    points: (values ?? (value === undefined ? [] : [value])).map(([seconds, text]) => [
      seconds,
      numberOf(text),
    ]),
  }));
}

function numberOf(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  return text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text);
}
