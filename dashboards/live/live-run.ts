import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DocumentsModule } from '../../examples/documents/documents.module.ts';
import { createMillraceApp, type MillraceApp } from '../../src/app/create-millrace-app.ts';
import { Host } from '../../src/app/host.ts';
import { packageRoot } from '../../src/kernel/package-root.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { type PrometheusServer, startPrometheus } from '../../test/support/prometheus-server.ts';
import type { BoardView } from './grafana-macros.ts';
import { usualFaults, workThrough } from './live-workload.ts';
import type { DataSources } from './panel-data.ts';
import { AnswerTicketStage } from './ticket.stage.ts';

/*
 * A day in the life of a host in a few minutes: the example pipeline and a second one, embedded, over a simulated
 * provider that has a bad spell, while a real Prometheus scrapes. Work comes in waves; some of it dies, some of that is
 * replayed. What the boards show of it is read from the same stores that it was written to.
 */

export interface LiveRunOptions {
  /** How long work comes in. */
  readonly seconds: number;
  /** Told how it goes. */
  readonly say: (line: string) => void;
}

/** A run whose work has come to its end; the stores and Prometheus are up until it is stopped. */
export interface LiveRun {
  readonly sources: DataSources;
  /** The time range in which it all happened. */
  readonly view: BoardView;
  stop(): Promise<void>;
}

const scrapeInterval = '2s';
const warmUpMs = 5000;
const settleMs = 6000;
const chartPoints = 90;

/** Runs the work and answers when all of it has ended. */
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
    app = await startApp(directory, simulator);
    const target = new URL(app.url ?? '').host;
    prometheus = await startPrometheus({
      scrape: [{ job: 'millrace', targets: [target] }],
      interval: scrapeInterval,
      ruleFiles: alertRules(),
    });
    const startedMs = Date.now();
    await pause(warmUpMs);
    await workThrough({ millrace: app.millrace, simulator, seconds, say });
    await pause(settleMs);
    await app.millrace.flushUsage();
    const toSeconds = Date.now() / 1000;
    const fromSeconds = startedMs / 1000;
    const stepSeconds = Math.max(2, Math.round((toSeconds - fromSeconds) / chartPoints));
    return {
      sources: { prometheus, columns: app.nest.get(Host).stores.columns },
      view: { fromSeconds, toSeconds, stepSeconds },
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
      // One that is nearly used up at the end, one with room.
      budgets: [
        { name: 'help-desk', team: 'help-centre', window: 'day', limitUsd: '0.05', unpriced: 'allow' },
        { name: 'checkout', team: 'checkout', window: 'day', limitUsd: '5', unpriced: 'allow' },
      ],
      models: {
        limits: {
          'openai/gpt-5-mini': { requestsPerMinute: 240, tokensPerMinute: 400_000 },
          'anthropic/*': { requestsPerMinute: 600 },
        },
        fallbacks: { 'anthropic/claude-haiku-4-5': 'openai/gpt-5-mini' },
        breaker: { minRequests: 10, windowMs: 10_000, openMs: 3000, errorShare: 0.35 },
        providers: {
          openai: { kind: 'openai', baseUrl: `${simulator.url}/openai/v1`, apiKey, identify: true },
          anthropic: { kind: 'anthropic', baseUrl: `${simulator.url}/anthropic/v1`, apiKey, identify: true },
        },
      },
    },
  });
}

/** The alert rules, where they have been generated. */
function alertRules(): readonly string[] {
  const folder = join(packageRoot(), 'dashboards', 'generated', 'prometheus');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.includes('rules') && /\.ya?ml$/.test(name))
    .map((name) => join(folder, name));
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
