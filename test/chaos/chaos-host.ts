import { closeSync, openSync, writeSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { open as openFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Configuration } from '../../src/host/configuration.ts';
import { preferShortRun } from '../../src/cli/engine-settings.ts';
import { Host } from '../../src/host/host.ts';
import { type Stores, openStores } from '../../src/host/stores.ts';
import { FilesPayloadStore } from '../../src/drivers/payload-store/payload-store.files.ts';
import { AppError } from '../../src/kernel/app-error.ts';
import { createLogger } from '../../src/telemetry/logging.ts';
import { type ChaosSettings, configurationOf } from './chaos-settings.ts';
import {
  columnsWithPoints,
  databaseWithPoints,
  FaultPoints,
  fetchWithPoints,
  queuesWithPoints,
} from './fault-points.ts';
import { SettableClock } from '../support/settable-clock.ts';
import { DiskSpace } from './disk-space.ts';
import { type Release, stagesOf } from './handlers.ts';
import { withHastyProviderBatches } from './hasty-provider-batches.ts';
import { installHistory } from './history.ts';
import { carryOut } from './host-orders.ts';
import { exitStoresAway, type HostLine, type OrderLine } from './orders.ts';
import { withPresentBudgets } from './present-budgets.ts';
import { fetchWithRecord } from './request-record.ts';
import { sabotagedColumns, sabotagedDatabase } from './sabotage.ts';

/*
 * A host process of a chaos run: the product's own composition over stores that can be told to kill it. Ends in
 * order on SIGTERM, and when the run that started it is gone.
 *
 *   node chaos-host.ts '{"settings":…,"name":"worker-1.2","roles":["worker"],"clockSkewMs":0}'
 */

export interface HostProcessOptions {
  readonly settings: ChaosSettings;
  /** Unique for every process of the run: leases are held under it. */
  readonly name: string;
  readonly roles: Configuration['roles'];
  readonly clockSkewMs: number;
  readonly release: Release;
  /** Whether it writes down when each of its requests began and ended. */
  readonly recordsRequests: boolean;
}

/** Optimising PGlite's code takes as long as some hundred messages without it. */
const shortRunMessages = 200;

const options = JSON.parse(process.argv[2] ?? '{}') as HostProcessOptions;
const { settings, name, roles, clockSkewMs, release, recordsRequests } = options;
const configuration = configurationOf(settings, roles);
const points = new FaultPoints();
if (recordsRequests) globalThis.fetch = fetchWithRecord(globalThis.fetch, settings, name);
globalThis.fetch = fetchWithPoints(globalThis.fetch, settings.simulatorUrl, points);

const clock = new SettableClock(clockSkewMs);

function send(line: HostLine): void {
  process.send?.(line);
}

/** A start that meets stores which are away ends, as one that an orchestrator repeats; any other error is a defect. */
function endIfAway(error: unknown): never {
  if (!(error instanceof AppError) || !error.retryable) throw error;
  process.stderr.write(`${name}: the stores are away: ${error.message}\n`);
  process.exit(exitStoresAway);
}

// A process of a short run ends before optimised code has paid.
if (settings.messages <= shortRunMessages) preferShortRun();
const log = openSync(join(settings.directory, `${name}.log`), 'a');
const stores: Stores = await openStores(configuration, name).catch(endIfAway);
const disk = new DiskSpace();
const payloads = await new FilesPayloadStore({
  directory: join(configuration.dataDirectory, 'payloads'),
  open: disk.opening(openFile),
}).open(new Date());
const host = await Host.over({
  configuration,
  clock: clock.clock,
  worker: name,
  logger: createLogger({ level: 'info', destination: { write: (line) => void writeSync(log, line) } }),
  stores: {
    ...stores,
    payloads,
    database: databaseWithPoints(
      withHastyProviderBatches(
        withPresentBudgets(sabotagedDatabase(stores.database, settings.sabotages), settings.directory),
      ),
      points,
    ),
    columns: columnsWithPoints(sabotagedColumns(stores.columns, settings.sabotages), points),
    queues: queuesWithPoints(stores.queues, points),
  },
}).catch(endIfAway);

async function stop(): Promise<void> {
  await host.stop();
  closeSync(log);
  process.exit(0);
}

process.on('SIGTERM', () => void stop());
// The run is gone: nothing is left to work for.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.on('message', ({ id, order }: OrderLine) => {
  carryOut(order, {
    host,
    stores,
    points,
    disk,
    clock,
    release,
    seed: settings.seed,
    messages: settings.messages,
  }).then(
    (value) => send({ kind: 'done', id, value }),
    (error: unknown) => send({ kind: 'failed', id, message: String(error) }),
  );
});

try {
  // Work is admitted when all processes are up; until then nothing happens that the history would miss.
  if (roles.includes('api')) await installHistory(stores.database);
  await host.start(stagesOf(release));
} catch (error) {
  endIfAway(error);
}
// The next process need not compile all this again.
flushCompileCache();
send({ kind: 'ready' });
