import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DocumentsModule } from '../../examples/documents/documents.module.ts';
import { createMillraceApp, type MillraceApp } from '../../src/host/create-millrace-app.ts';
import { Host } from '../../src/host/host.ts';
import { packageRoot } from '../../src/kernel/package-root.ts';
import { packagedPriceBook } from '../../src/pricing/packaged-price-book.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { fillHostDirectory } from '../../test/support/migrated-columns.ts';
import { type PrometheusServer, startPrometheus } from '../../test/support/prometheus-server.ts';
import type { BoardView } from './grafana-macros.ts';
import { usualFaults, workThrough } from './live-workload.ts';
import type { DataSources } from './panel-data.ts';
import { writePastUsage } from './past-usage.ts';
import { AnswerTicketStage } from './ticket.stage.ts';

/*
 * A day in the life of a host in a few minutes: the example pipeline and a second one, embedded, over a simulated
 * provider that has a bad spell, while a real Prometheus scrapes. Work comes in waves; some of it dies, some of that is
 * replayed, some is paused or has no money left. Before it lie two weeks of usage that are made up, so that there is a usual
 * amount and a period before. What the boards show is read from the same stores that it was written to, in the midst
 * of work: at its end every rate would be 0.
 */

export interface LiveRunOptions {
  /** How long work comes in. */
  readonly seconds: number;
  /** Told how it goes. */
  readonly say: (line: string) => void;
}

/** A run in which everything has happened, with work still under way; stores and Prometheus are up until it is stopped. */
export interface LiveRun {
  readonly sources: DataSources;
  /** The time range in which it all happened. */
  readonly view: BoardView;
  /** Lets work come in for longer, for what a slow machine has not come to; the view then reaches until the end of that. */
  goOn(seconds: number): Promise<void>;
  stop(): Promise<void>;
}

const scrapeInterval = '2s';
const ruleInterval = '4s';
const warmUpMs = 5000;
const chartPoints = 90;

/** Runs the work and answers when no more comes in. */
export async function liveRun({ seconds, say }: LiveRunOptions): Promise<LiveRun> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-boards-'));
  const simulator = await startSimulator({
    latency: { medianMs: 350, p99Ms: 2500 },
    answer: { minTokens: 40, maxTokens: 400 },
    rules: usualFaults,
  });
  let app: MillraceApp | undefined;
  let prometheus: PrometheusServer | undefined;
  const stop = async (): Promise<void> => {
    await prometheus?.stop();
    await app?.close();
    await simulator.close();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await fillHostDirectory(directory);
    app = await startApp(directory, simulator);
    const { columns } = app.nest.get(Host).stores;
    const calls = await writePastUsage(columns, packagedPriceBook(), new Date());
    say(`two weeks before: ${calls} calls`);
    const target = new URL(app.url ?? '').host;
    prometheus = await startPrometheus({
      scrape: [{ job: 'millrace', targets: [target] }],
      interval: scrapeInterval,
      ruleFiles: alertRules(directory),
    });
    const startedMs = Date.now();
    await pause(warmUpMs);
    const { millrace } = app;
    const workOn = await workThrough({ millrace, simulator, seconds, say });
    const viewNow = async (): Promise<BoardView> => {
      await millrace.flushUsage();
      const toSeconds = Date.now() / 1000;
      const fromSeconds = startedMs / 1000;
      const stepSeconds = Math.max(2, Math.round((toSeconds - fromSeconds) / chartPoints));
      return { fromSeconds, toSeconds, stepSeconds };
    };
    let view = await viewNow();
    return {
      sources: { prometheus, columns },
      get view() {
        return view;
      },
      goOn: async (more) => {
        await workOn(more);
        view = await viewNow();
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function startApp(directory: string, simulator: Simulator): Promise<MillraceApp> {
  const apiKey = 'simulated';
  return createMillraceApp({
    imports: [DocumentsModule.with({ resultsDirectory: join(directory, 'results') })],
    providers: [AnswerTicketStage],
    environment: {},
    logger: silentLogger,
    config: {
      dataDirectory: directory,
      http: { port: 0 },
      // One that is used up, others with room.
      budgets: [
        { name: 'help-desk', team: 'help-centre', window: 'day', limitUsd: '0.05', unpriced: 'allow' },
        { name: 'checkout', team: 'checkout', window: 'day', limitUsd: '0.5', unpriced: 'allow' },
        {
          name: 'licence-audit',
          feature: 'licence-audit',
          window: 'week',
          limitUsd: '0.8',
          unpriced: 'allow',
        },
        {
          name: 'one-customer',
          customer: 'customer-106',
          window: 'hour',
          limitUsd: '0.2',
          unpriced: 'allow',
        },
        // Of tokens, with shares that are reached while it runs.
        { name: 'all-tokens', window: '24h', limitTokens: '5000000', atLimit: 'alert', alertAt: [1, 50] },
      ],
      // Cents count in a run of minutes.
      costs: { baseline: { intervalMs: 5000, hourFloorUsd: '0.01', dayFloorUsd: '0.05' } },
      limits: {
        models: {
          'openai/gpt-5-mini': { requestsPerMinute: 240, tokensPerMinute: 400_000 },
          'anthropic/*': { requestsPerMinute: 600 },
        },
        circuit: { minRequests: 10, windowMs: 10_000, openMs: 3000, errorShare: 0.35 },
      },
      models: {
        fallbacks: { 'anthropic/claude-haiku-4-5': 'openai/gpt-5-mini' },
        providers: {
          openai: { kind: 'openai', baseUrl: `${simulator.url}/openai/v1`, apiKey, identify: true },
          anthropic: { kind: 'anthropic', baseUrl: `${simulator.url}/anthropic/v1`, apiKey, identify: true },
        },
      },
    },
  });
}

/** The alert rules as they are, but looked at more often: Prometheus shows no alert before the third time. */
function alertRules(directory: string): readonly string[] {
  const folder = join(packageRoot(), 'dashboards', 'generated', 'prometheus');
  return readdirSync(folder)
    .filter((name) => name.endsWith('.rules.yml'))
    .map((name) => {
      const file = join(directory, name);
      const rules = readFileSync(join(folder, name), 'utf8');
      writeFileSync(file, rules.replaceAll(/^( +interval:) .*$/gm, `$1 ${ruleInterval}`));
      return file;
    });
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
