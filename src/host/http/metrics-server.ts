import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { AppError } from '../../kernel/app-error.ts';
import { scrapeFormat } from './scrape-format.ts';
import { pathOf } from '../../http/request-facts.ts';
import type { Readiness } from './readiness.ts';
import { describeProblem, problemMediaType } from '../../http/problem.ts';
import { type MetricsSource, SharedMetrics } from './shared-metrics.ts';

/*
 * /metrics and /health on a port of their own, for those who keep what is for operators away from what is for callers.
 * It shares the process but neither limits nor connections with the API.
 */

export interface MetricsServerOptions {
  readonly host: string;
  readonly port: number;
  readonly metrics: MetricsSource;
  readonly readiness: Readiness;
}

const requestTimeoutMs = 10_000;
const maxConnections = 200;

/** Starts it; answers how to end it. Throws MILLRACE_HTTP_ADDRESS_UNAVAILABLE. */
export async function listenForMetrics(
  options: MetricsServerOptions,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const { host, port } = options;
  const shared = { ...options, metrics: new SharedMetrics(options.metrics) };
  const server = createServer({ requestTimeout: requestTimeoutMs }, (request, response) => {
    answer(request, response, shared).catch((error: unknown) => refuse(request, response, error));
  });
  server.maxConnections = maxConnections;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        new AppError(
          'MILLRACE_HTTP_ADDRESS_UNAVAILABLE',
          `Cannot listen on ${host} port ${port} for metrics: ${error.message}`,
          { cause: error },
        ),
      ),
    );
    server.listen(port, host, resolve);
  });
  return { port: portOf(server), close: () => closed(server) };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { metrics, readiness }: { readonly metrics: SharedMetrics; readonly readiness: Readiness },
): Promise<void> {
  request.resume();
  const { method = 'GET', url = '/' } = request;
  const path = pathOf(url);
  if (method !== 'GET' && method !== 'HEAD') {
    respond(response, { status: 405, body: '' });
    return;
  }
  if (path === '/metrics') {
    const { contentType, body } = await metrics.render(scrapeFormat(request.headers.accept));
    respond(response, { status: 200, body, contentType });
    return;
  }
  if (path !== '/health/ready') {
    const isLive = path === '/health/live';
    respond(response, isLive ? { status: 200, body: '{"status":"live"}' } : { status: 404, body: '' });
    return;
  }
  const report = await readiness.report();
  const mayWork = report.status === 'ready' || report.status === 'degraded';
  respond(response, { status: mayWork ? 200 : 503, body: JSON.stringify(report) });
}

function refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  const { problem, retryAfterSeconds } = describeProblem(error, pathOf(request.url ?? '/'));
  if (retryAfterSeconds !== undefined) response.setHeader('retry-after', retryAfterSeconds);
  respond(response, { status: problem.status, body: JSON.stringify(problem), contentType: problemMediaType });
}

function respond(
  response: ServerResponse,
  {
    status,
    body,
    contentType = 'application/json; charset=utf-8',
  }: {
    readonly status: number;
    readonly body: string | Buffer;
    readonly contentType?: string;
  },
): void {
  response.writeHead(status, {
    'content-type': contentType,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(body);
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
