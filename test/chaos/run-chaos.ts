import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeMigratedPglite } from '../../src/drivers/sql-database/migrated-pglite.ts';
import { type ChaosSettings, limitsOf, type StoresKind } from './chaos-settings.ts';
import type { Evidence, StoreEvidence } from './evidence.ts';
import { FaultInjector, type StruckFault } from './fault-injector.ts';
import { BatchCourse } from './batch-course.ts';
import { providerBatchFaults, providerBatchMs, refusedAlways } from './batch-faults.ts';
import { batchMessages } from './batch-workload.ts';
import { BudgetWatcher } from './budget-watcher.ts';
import { cutWorker, type PlannedFault, providerFaults, rolesOf } from './fault-plan.ts';
import { expectedAnswers } from './expected-answers.ts';
import { readDefects } from './host-logs.ts';
import { type Death, HostProcess, pause } from './host-process.ts';
import { noProgress } from './orders.ts';
import type { QueueKind } from './queue-server.ts';
import { ReportWatcher } from './report-watcher.ts';
import type { Sabotage } from './sabotage.ts';
import { readRequestRecords } from './request-record.ts';
import { fillHostDirectory } from '../support/migrated-columns.ts';
import { SimulatorServer } from '../support/simulator-server.ts';
import { attributedBill, oddItems, readSimulatedBatches } from './simulated-batch-book.ts';
import { StoreServers } from './store-servers.ts';
import { admittedAt, messagesOf } from './workload.ts';

/*
 * One run: servers and processes come up, work is admitted bit by bit, the planned faults strike as the work goes on;
 * then everything is healed, and when nothing is left to do (or the patience ends) the evidence is collected.
 */

export interface ChaosRunOptions {
  readonly seed: number;
  readonly messages: number;
  readonly stores: StoresKind;
  /** What the queue lies on, on services. Default Redis. */
  readonly queue?: QueueKind;
  /** How many worker processes, on services. Default 2. */
  readonly workers?: number;
  /** All is admitted before the first worker starts, so that every worker meets a backlog of others. */
  readonly isBacklogFirst?: boolean;
  /** Over how long the work is admitted, evenly. Default as fast as it is worked on. */
  readonly admitOverMs?: number;
  readonly plan: readonly PlannedFault[];
  /** Whether batches are submitted beside the messages. Default not. */
  readonly hasBatches?: boolean;
  readonly sabotages?: readonly Sabotage[];
  /** How long to wait, after healing and after the last message is due, until nothing is left to do. */
  readonly patienceMs: number;
  /** Whether the stores have the migrations from the beginning. Default not. */
  readonly isMigrated?: boolean;
  readonly onProgress?: (text: string) => void;
}

export interface ChaosRun {
  readonly evidence: Evidence;
  readonly struck: readonly StruckFault[];
  /** Planned faults for which the work was over too soon. */
  readonly unstruck: number;
  readonly deaths: readonly Death[];
  readonly seconds: number;
  /** Data, logs and evidence; whoever asked for the run removes it. */
  readonly directory: string;
}

const pollMs = 100;
/** No message is put off for longer, once. */
const longestPauseMs = 900_000;
const admissionChunk = 30;
/** Looking at the progress reads every message: it is given at most this share of the time. */
const restPerLook = 10;

/** The provider of a run, with its own bill. */
async function startSimulator(
  directory: string,
  { seed, hasBatches = false }: ChaosRunOptions,
): Promise<SimulatorServer> {
  const data = simulatorDirectory(directory);
  mkdirSync(data);
  return await SimulatorServer.start(data, {
    seed,
    rules: [...(hasBatches ? refusedAlways : []), ...providerFaults],
    batches: { durationMs: providerBatchMs, rules: [...providerBatchFaults] },
    // Outputs of batches can be compared only where a question has one answer.
    answersByAttempt: !hasBatches,
    latency: { medianMs: 20, p99Ms: 120 },
    dataDirectory: data,
  });
}

function simulatorDirectory(directory: string): string {
  return join(directory, 'simulator');
}

export async function runChaos(options: ChaosRunOptions): Promise<ChaosRun> {
  const { seed, stores, sabotages, hasBatches = false, onProgress = () => undefined } = options;
  const { queue = 'redis', isMigrated = false } = options;
  const startedMs = performance.now();
  const directory = mkdtempSync(join(tmpdir(), `millrace-chaos-${seed}-`));
  const opened: { stop(): Promise<void> }[] = [];
  try {
    const simulator = await startSimulator(directory, options);
    opened.push(simulator);
    const servers =
      stores === 'services' ? await StoreServers.start(directory, { queue, isMigrated }) : undefined;
    if (servers !== undefined) opened.push(servers);
    const settings: ChaosSettings = {
      seed,
      messages: options.messages,
      directory,
      simulatorUrl: simulator.url,
      ...(servers === undefined ? {} : { services: servers.settings }),
      ...(sabotages === undefined ? {} : { sabotages }),
    };
    // What every embedded database of the run is copied from; else each start would make its own.
    if (stores === 'embedded' && isMigrated) await fillHostDirectory(join(directory, 'data'));
    else if (stores === 'embedded') await makeMigratedPglite();
    const processes = makeProcesses(settings, rolesOf(stores, options.workers), servers);
    opened.push({ stop: () => endAll(processes, (host) => host.kill()) });
    const [front] = processes.values();
    if (front === undefined) throw new Error('A run has processes');
    const startAll = (): Promise<void> =>
      endAll(processes, (host) => (host.isRunning ? Promise.resolve() : host.start()));
    await (options.isBacklogFirst === true ? front.start() : startAll());
    const rules = hasBatches ? refusedAlways : [];
    const injector = new FaultInjector({ processes, servers, front, simulator, directory, rules });
    const batches = new BatchCourse(front, hasBatches ? options : undefined);
    const budgets = new BudgetWatcher(front);
    const reports = new ReportWatcher(front);
    const worked = await work(options, front, injector, batches, startAll);
    onProgress(`healing after ${worked.struck.length} lines of faults`);
    await simulator.follow(rules);
    await simulator.followBatches([]);
    await injector.raiseBudget();
    batches.heal();
    await worked.untilQuiet();
    const readings = await batches.readAll();
    await budgets.stop();
    await reports.stop();
    await endAll(processes, (host) => host.terminate());
    const file = join(directory, 'evidence.json');
    await inspect(settings, file);
    const hosts = [...processes.values()];
    const left = JSON.parse(readFileSync(file, 'utf8')) as StoreEvidence;
    const bill = attributedBill(await simulator.readBill(), left.batches, left.calls);
    return {
      evidence: {
        ...left,
        seed,
        bill,
        ...(hasBatches
          ? {
              batchRun: {
                messages: options.messages,
                steered: batches.steered,
                readings,
                simulated: readSimulatedBatches(simulatorDirectory(directory)),
                expected: await expectedAnswers(simulator, batches.planned, oddItems(left, bill)),
              },
            }
          : {}),
        acknowledged: worked.acknowledged,
        sent: worked.sent,
        refusals: worked.refusals,
        hasClients: stores === 'services',
        crashes: hosts.flatMap((host) => host.crashes),
        defects: readDefects(directory),
        pauses: injector.pauses,
        cuts: injector.cuts,
        outages: injector.outages,
        reports: reports.seen,
        requests: readRequestRecords(directory),
        limits: limitsOf(options.messages),
        budgets: budgets.seen,
      },
      struck: worked.struck,
      unstruck: worked.unstruck,
      deaths: hosts.flatMap((host) => host.deaths),
      seconds: (performance.now() - startedMs) / 1000,
      directory,
    };
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  } finally {
    for (const one of opened.toReversed()) await one.stop();
  }
}

function makeProcesses(
  settings: ChaosSettings,
  roles: ReturnType<typeof rolesOf>,
  servers: StoreServers | undefined,
): ReadonlyMap<string, HostProcess> {
  const cuttable: ChaosSettings =
    settings.services === undefined || servers === undefined
      ? settings
      : { ...settings, services: { ...settings.services, postgresUrl: servers.cuttablePostgresUrl } };
  return new Map(
    Object.entries(roles).map(([name, of]) => [
      name,
      // One worker's clock is two minutes off, whatever the plan.
      new HostProcess({
        name,
        host: {
          settings: name === cutWorker ? cuttable : settings,
          roles: [...of],
          clockSkewMs: name === 'worker-2' ? 120_000 : 0,
          recordsRequests: name === cutWorker,
        },
      }),
    ]),
  );
}

async function endAll(
  processes: ReadonlyMap<string, HostProcess>,
  act: (host: HostProcess) => Promise<void>,
): Promise<void> {
  await Promise.all([...processes.values()].map(act));
}

interface Worked {
  readonly struck: readonly StruckFault[];
  readonly unstruck: number;
  readonly acknowledged: ReadonlySet<number>;
  readonly sent: ReadonlySet<number>;
  readonly refusals: Evidence['refusals'];
  untilQuiet(): Promise<void>;
}

/** Admits everything and lets the faults strike; resolves when all is admitted and everything is back. */
async function work(
  {
    seed,
    messages,
    plan,
    patienceMs,
    isBacklogFirst = false,
    admitOverMs = 0,
    onProgress = () => undefined,
  }: ChaosRunOptions,
  front: HostProcess,
  injector: FaultInjector,
  batches: BatchCourse,
  startAll: () => Promise<void>,
): Promise<Worked> {
  const indexes = Array.from({ length: messages }, (_, index) => index);
  const expected = indexes.reduce(
    (sum, index) => sum + messagesOf(admittedAt(seed, index)),
    batchMessages(batches.planned),
  );
  const acknowledged = new Set<number>();
  const sent = new Set<number>();
  const refusals = { tried: 0, wrong: [] as string[] };
  const due = [...plan];
  let progress = noProgress;
  let lookedMs = 0;
  const look = async (): Promise<void> => {
    const startedMs = performance.now();
    // While its stores are away the front cannot say.
    progress = await front.ask({ kind: 'progress' }).catch(() => progress);
    lookedMs = Math.min(100, performance.now() - startedMs);
  };
  // Enough that lanes and customers wait for their turn.
  const mostOpen = isBacklogFirst ? Number.POSITIVE_INFINITY : Math.max(100, Math.round(messages / 2));
  const startedMs = performance.now();
  const dueCount = (): number =>
    admitOverMs === 0
      ? messages
      : Math.min(messages, Math.ceil((messages * (performance.now() - startedMs)) / admitOverMs));
  let admitting: Promise<unknown> | undefined;
  const admitNext = (): void => {
    if (admitting !== undefined || acknowledged.size === messages || progress.open >= mostOpen) return;
    const chunk = indexes
      .slice(0, dueCount())
      .filter((index) => !acknowledged.has(index))
      .slice(0, admissionChunk);
    if (chunk.length === 0) return;
    for (const index of chunk) sent.add(index);
    admitting = front
      .ask({ kind: 'admit', indexes: chunk })
      // Not acknowledged: the same is sent again, as a sender does.
      .then(
        ({ refused, wrong }) => {
          chunk.forEach((index) => acknowledged.add(index));
          refusals.tried += refused;
          refusals.wrong.push(...wrong);
        },
        () => pause(pollMs),
      )
      .finally(() => {
        admitting = undefined;
      });
  };
  const isOver = (): boolean =>
    acknowledged.size === messages && progress.open === 0 && batches.open(progress) === 0;
  if (isBacklogFirst) {
    while (acknowledged.size < messages) {
      admitNext();
      await pause(pollMs);
    }
    await look();
    await startAll();
  }
  let seen = '';
  let movedMs = performance.now();
  // A host that stays down must end the run, with the evidence against it.
  while (!isOver() && performance.now() - movedMs < patienceMs + progress.dueInMs) {
    admitNext();
    await pause(Math.max(pollMs, restPerLook * lookedMs));
    await look();
    const share = progress.ended / expected;
    batches.advance(progress, share);
    while (due[0] !== undefined && due[0].atShare <= share) {
      const fault = due.shift()?.fault;
      if (fault !== undefined) injector.strike(fault);
    }
    onProgress(
      `${acknowledged.size}/${messages} admitted, ${progress.ended}/${expected} ended, ${progress.open} open`,
    );
    const now = `${acknowledged.size} ${progress.ended} ${injector.struck.length}`;
    if (now !== seen) movedMs = performance.now();
    seen = now;
    // When all of the plan has struck, what is left to do is left to the patience after healing.
    if (acknowledged.size === messages && due.length === 0) break;
  }
  await injector.settled();
  return {
    struck: injector.struck,
    unstruck: due.length,
    acknowledged,
    sent,
    refusals,
    async untilQuiet() {
      const healedMs = performance.now();
      let dueMs = healedMs;
      do {
        await pause(pollMs);
        await look();
        batches.advance(progress, 1);
        if (progress.dueInMs > 0)
          dueMs = Math.max(dueMs, Math.min(healedMs + longestPauseMs, performance.now() + progress.dueInMs));
        onProgress(
          `${progress.open} open, ${batches.open(progress)} batches, ${progress.putOff} put off, ${progress.reserved} reserved, ${progress.unexported} unexported`,
        );
      } while (
        progress.open + progress.reserved + progress.unexported + progress.putOff + batches.open(progress) >
          0 &&
        performance.now() < dueMs + patienceMs
      );
    },
  };
}

async function inspect(settings: ChaosSettings, output: string): Promise<void> {
  const script = join(import.meta.dirname, 'store-inspector.ts');
  const child = fork(script, [JSON.stringify(settings), output], { execArgv: [] });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`The stores could not be inspected: exit code ${String(code)}`);
}
