import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scrapeFormat } from '../../src/host/http/scrape-format.ts';
import { metricCatalogue } from '../../src/host/metric-catalogue.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { canRun, directoryOf, prometheusPrograms } from '../support/required-programs.ts';
import { freePort, ServerProcess } from '../support/server-process.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const patience = { timeout: 30_000, interval: 100 };
const hasPrometheus = canRun(prometheusPrograms());

/* A Prometheus scrapes /metrics as it asks for it, and keeps the exemplars. Skipped where none is installed. */
describe.skipIf(!hasPrometheus)('a scrape by Prometheus', { timeout: 60_000 }, () => {
  const metrics = createMetrics(metricCatalogue, { processMetrics: true });
  const served: string[] = [];
  let home: string;
  let target: Server;
  let prometheus: ServerProcess;
  let url: string;

  const ask = async <Data>(path: string): Promise<Data> => {
    const response = await fetch(`${url}/api/v1/${path}`);
    return ((await response.json()) as { data: Data }).data;
  };

  beforeAll(async () => {
    const labels = { owner: 'platform', stage: 'answer' };
    metrics.increment('stage_messages_total', { ...labels, outcome: 'success' }, 3);
    metrics.observe('stage_duration_seconds', { ...labels, outcome: 'success' }, 0.3, traceId);
    target = createServer((request, response) => {
      void metrics.render(scrapeFormat(request.headers.accept)).then(({ contentType, body }) => {
        served.push(contentType);
        response.setHeader('content-type', contentType).end(body);
      });
    });
    await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
    home = mkdtempSync(join(tmpdir(), 'millrace-prometheus-'));
    const { port } = target.address() as AddressInfo;
    const scrape = { job_name: 'millrace', static_configs: [{ targets: [`127.0.0.1:${port}`] }] };
    // JSON is YAML, too.
    writeFileSync(
      join(home, 'prometheus.yml'),
      JSON.stringify({ global: { scrape_interval: '500ms' }, scrape_configs: [scrape] }),
    );
    const own = await freePort();
    url = `http://127.0.0.1:${own}`;
    prometheus = new ServerProcess({
      program: join(directoryOf(prometheusPrograms()), 'prometheus'),
      arguments: [
        `--config.file=${join(home, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(home, 'data')}`,
        `--web.listen-address=127.0.0.1:${own}`,
        '--enable-feature=exemplar-storage',
      ],
      logFile: join(home, 'log'),
      signalWithoutParent: 'KILL',
    });
    await prometheus.waitUntil(
      async () => (await fetch(`${url}/-/ready`).catch(() => undefined))?.ok === true,
    );
  });

  afterAll(async () => {
    await prometheus.end('SIGTERM');
    target.closeAllConnections();
    target.close();
    rmSync(home, { recursive: true });
  });

  it('finds the target well, in OpenMetrics', async () => {
    interface Targets {
      readonly activeTargets: readonly { readonly health: string; readonly lastError: string }[];
    }
    await expect
      .poll(async () => (await ask<Targets>('targets')).activeTargets[0], patience)
      .toMatchObject({ health: 'up', lastError: '' });
    expect(served[0]).toContain('application/openmetrics-text');
  });

  it('keeps counters under their names, and exemplars', async () => {
    interface Sums {
      readonly result: readonly { readonly value: readonly [number, string] }[];
    }
    const counter = 'millrace_stage_messages_total{outcome="success"}';
    await expect
      .poll(
        async () => (await ask<Sums>(`query?query=${encodeURIComponent(counter)}`)).result[0]?.value[1],
        patience,
      )
      .toBe('3');
    const range = `start=${Date.now() / 1000 - 600}&end=${Date.now() / 1000 + 600}`;
    await expect
      .poll(
        async () =>
          JSON.stringify(await ask(`query_exemplars?query=millrace_stage_duration_seconds_bucket&${range}`)),
        patience,
      )
      .toContain(traceId);
  });
});
