import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { alertmanagerPrograms, directoryOf } from './required-programs.ts';
import { freePort, ServerProcess } from './server-process.ts';

/** An alert as Alertmanager holds it. */
export interface HeldAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly state: 'unprocessed' | 'active' | 'suppressed';
  /** How many alerts inhibit it. */
  readonly inhibitors: number;
}

/** A running Alertmanager. */
export interface AlertmanagerServer {
  /** "127.0.0.1:9093", as Prometheus is told. */
  readonly address: string;
  readonly pid: number;
  alerts(): Promise<readonly HeldAlert[]>;
  stop(): Promise<void>;
}

interface ApiAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly status: { readonly state: HeldAlert['state']; readonly inhibitedBy: readonly string[] };
}

/** Starts an Alertmanager of its own in a temporary directory, on a free port of 127.0.0.1, without a cluster. */
export async function startAlertmanager(configuration: string): Promise<AlertmanagerServer> {
  const home = mkdtempSync(join(tmpdir(), 'millrace-alertmanager-'));
  const address = `127.0.0.1:${await freePort()}`;
  const file = join(home, 'alertmanager.yml');
  writeFileSync(file, configuration);
  const server = new ServerProcess({
    program: join(directoryOf(alertmanagerPrograms()), 'prometheus-alertmanager'),
    arguments: [
      `--config.file=${file}`,
      `--storage.path=${join(home, 'data')}`,
      `--web.listen-address=${address}`,
      '--cluster.listen-address=',
      '--log.level=warn',
    ],
    logFile: join(home, 'log'),
    signalWithoutParent: 'KILL',
  });
  const stop = async (): Promise<void> => {
    if (!server.hasEnded) await server.end('SIGTERM');
    rmSync(home, { recursive: true, force: true });
  };
  try {
    await server.waitUntil(() => isReady(address));
  } catch (error) {
    await stop();
    throw error;
  }
  return { address, pid: server.pid, alerts: () => readAlerts(address), stop };
}

async function readAlerts(address: string): Promise<HeldAlert[]> {
  const response = await fetch(`http://${address}/api/v2/alerts`, { signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new Error(`Alertmanager answered ${response.status}`);
  return ((await response.json()) as ApiAlert[]).map(({ labels, status }) => ({
    labels,
    state: status.state,
    inhibitors: status.inhibitedBy.length,
  }));
}

async function isReady(address: string): Promise<boolean> {
  try {
    return (await fetch(`http://${address}/-/ready`, { signal: AbortSignal.timeout(1000) })).ok;
  } catch {
    // Not listening yet.
    return false;
  }
}
