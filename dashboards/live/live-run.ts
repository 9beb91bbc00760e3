import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { admitDocuments } from '../../examples/documents/admit-documents.ts';
import { DocumentsModule } from '../../examples/documents/documents.module.ts';
import { findPackageTexts } from '../../examples/documents/find-documents.ts';
import { createMillraceApp, type MillraceApp } from '../../src/app/create-millrace-app.ts';
import { Host } from '../../src/app/host.ts';
import { packageRoot } from '../../src/kernel/package-root.ts';
import type { FaultRuleInput } from '../../src/simulator/simulator-config.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { type PrometheusServer, startPrometheus } from '../../test/support/prometheus-server.ts';
import type { BoardView } from './grafana-macros.ts';
import type { DataSources } from './panel-data.ts';
import { AnswerTicketStage, originOfTicket, TicketReceived } from './ticket.stage.ts';

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
const turnMs = 500;
const chartPoints = 90;
const documentsPerSecond = 4;
const ticketsPerSecond = 2;

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
    await work(app, simulator, seconds, say);
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
      models: {
        providers: {
          openai: { kind: 'openai', baseUrl: `${simulator.url}/openai/v1`, apiKey, identify: true },
          anthropic: { kind: 'anthropic', baseUrl: `${simulator.url}/anthropic/v1`, apiKey, identify: true },
        },
      },
    },
  });
}

async function work(
  { millrace }: MillraceApp,
  simulator: Simulator,
  seconds: number,
  say: (line: string) => void,
): Promise<void> {
  const found = await findPackageTexts(packageRoot());
  if (found.kind !== 'found') throw new Error(`There are no documents in ${found.folder}.`);
  let admittedSoFar = 0;
  const turns = Math.round((seconds * 1000) / turnMs);
  let tickets = 0;
  let documentsDue = 0;
  let ticketsDue = 0;
  for (let turn = 0; turn < turns; turn += 1) {
    const share = turn / turns;
    const event = events.find(({ at }) => Math.round(at * turns) === turn);
    if (event !== undefined) {
      say(`${Math.round(share * 100)} %: ${event.what}`);
      if (event.rules !== undefined) simulator.setRules(event.rules);
      if (event.act !== undefined) await act(millrace, event.act);
    }
    // Two waves of documents, and tickets at an even pace.
    documentsDue += ((1.1 - Math.cos(share * 4 * Math.PI)) * documentsPerSecond * turnMs) / 1000;
    ticketsDue += (ticketsPerSecond * turnMs) / 1000;
    const batch = share < 0.45 ? 'nightly-monday' : share < 0.8 ? 'nightly-tuesday' : 'backfill-2025';
    const due = Math.floor(documentsDue);
    await admitDocuments(millrace, found.documents.slice(admittedSoFar, admittedSoFar + due), {
      batch,
      concurrency: 8,
    });
    admittedSoFar += due;
    documentsDue -= due;
    for (; ticketsDue >= 1; ticketsDue -= 1) await admitTicket(millrace, (tickets += 1));
    await pause(turnMs);
  }
  say('waiting for the rest');
  while (!(await millrace.isIdle())) await pause(turnMs);
}

async function admitTicket(millrace: MillraceApp['millrace'], number: number): Promise<void> {
  const isExperiment = number % 25 === 0;
  // Every fortieth is refused by the provider, whoever asks how often.
  const text = `Ticket ${number}: ${number % 40 === 0 ? refusedWord : 'My order has not arrived.'}`;
  await millrace.admit(
    TicketReceived.v1,
    { ticket: `ticket-${number}`, text, isExperiment, attachment: number % 15 === 0 ? largeAttachment : '' },
    {
      origin: originOfTicket(number),
      source: 'live-run/tickets',
      id: `ticket-${number}`,
      item: `ticket-${number}`,
    },
  );
}

async function act(millrace: MillraceApp['millrace'], what: 'replay' | 'discard'): Promise<void> {
  const request = { filter: {}, max: 3, reason: 'live run' };
  const operator = { actor: 'live-run' };
  await (what === 'replay'
    ? millrace.deadLetters.replay(request, operator)
    : millrace.deadLetters.discard(request, operator));
}

const refusedWord = 'xyzzy';
// Too large for the ledger, so that it goes through the payload store.
const largeAttachment = 'page '.repeat(60_000);

const usualFaults: FaultRuleInput[] = [
  { fault: 'content_policy', match: { contains: refusedWord } },
  { fault: 'context_too_long', match: { contains: 'Apache License' }, probability: 0.3, times: 6 },
  { fault: 'rate_limit', probability: 0.02, retryAfterMs: 500 },
  { fault: 'server_error', probability: 0.01 },
  { fault: 'cut_stream', probability: 0.02 },
  { fault: 'missing_usage', probability: 0.01 },
];

interface LiveEvent {
  /** Share of the time that has passed. */
  readonly at: number;
  readonly what: string;
  readonly rules?: FaultRuleInput[];
  readonly act?: 'replay' | 'discard';
}

const events: readonly LiveEvent[] = [
  {
    at: 0.3,
    what: 'one provider limits requests',
    rules: [
      { fault: 'rate_limit', match: { provider: 'openai' }, probability: 0.35, retryAfterMs: 800 },
      ...usualFaults,
    ],
  },
  { at: 0.45, what: 'it recovers', rules: usualFaults },
  {
    at: 0.55,
    what: 'the other is overloaded and slow',
    rules: [
      { fault: 'overloaded', match: { provider: 'anthropic' }, probability: 0.5 },
      { fault: 'slow', match: { provider: 'anthropic' }, probability: 0.3, delayMs: 1500 },
      ...usualFaults,
    ],
  },
  { at: 0.68, what: 'it recovers', rules: usualFaults },
  { at: 0.75, what: 'dead letters are replayed', act: 'replay' },
  { at: 0.85, what: 'dead letters are discarded', act: 'discard' },
];

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
