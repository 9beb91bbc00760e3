import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { Session } from 'chdb';
import type { Fault, ServerMessage, ServerOrder } from './clickhouse-http-server.ts';

/*
 * chDB behind as much of ClickHouse's HTTP interface as @clickhouse/client uses: /ping, the statement in the body or in
 * ?query= with rows in the body, settings and param_* in the URL, basic and X-ClickHouse-User credentials, gzip both ways,
 * exceptions with their code in a header. Runs as a child process, because a chDB directory belongs to one process and
 * because a test must be able to kill it. Each request has a session of its own, as each has on a server.
 */

const [directory = '', user = '', password = ''] = process.argv.slice(2);
const unzip = promisify(gunzip);
const zip = promisify(gzip);

// Keeps the engine up between requests.
const engine = new Session(directory);
engine.query('SELECT 1');
const faults: Fault[] = [];

/** Names in the URL that are no settings of the engine. */
const transportNames = new Set([
  'query',
  'database',
  'default_format',
  'query_id',
  'session_id',
  'role',
  'wait_end_of_query',
  'enable_http_compression',
  'send_progress_in_http_headers',
  'http_headers_progress_interval_ms',
]);

class Exception extends Error {
  readonly code: number;
  readonly status: number;

  constructor(code: number, status: number, message: string) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    const { code, status, message } = asException(error);
    response.writeHead(status, { 'X-ClickHouse-Exception-Code': `${code}`, 'Content-Type': 'text/plain' });
    response.end(message);
  });
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1');
  if (url.pathname === '/ping') {
    response.end('Ok.\n');
    return;
  }
  const body = await readBody(request);
  authenticate(request, url);
  const inUrl = url.searchParams.get('query');
  const statement = inUrl === null ? body : body === '' ? inUrl : `${inUrl}\n${body}`;
  const fault = takeFault(statement);
  if (fault !== undefined && !(await passes(fault, response))) return;

  const result = await run(statement, url);
  if (fault?.kind === 'die-after') process.kill(process.pid, 'SIGKILL');
  if (fault?.kind === 'hang-after') return;
  const isZipped =
    url.searchParams.get('enable_http_compression') === '1' &&
    /gzip/.test(`${request.headers['accept-encoding']}`);
  const bytes = isZipped ? await zip(result.bytes) : result.bytes;
  response.writeHead(200, {
    'Content-Type': 'text/plain; charset=UTF-8',
    'X-ClickHouse-Server-Display-Name': 'chdb',
    'X-ClickHouse-Query-Id': url.searchParams.get('query_id') ?? '',
    'X-ClickHouse-Summary': JSON.stringify(result.summary),
    ...(isZipped ? { 'Content-Encoding': 'gzip' } : {}),
  });
  response.end(bytes);
}

/** What a fault does before the statement runs; false when nothing is to run. */
async function passes(fault: Fault, response: ServerResponse): Promise<boolean> {
  switch (fault.kind) {
    case 'die-before':
      process.kill(process.pid, 'SIGKILL');
      return false;
    case 'hang-before':
      return false;
    case 'refuse':
      throw new Exception(
        fault.code,
        fault.status,
        `Code: ${fault.code}. DB::Exception: refused. (${fault.name})`,
      );
    case 'proxy-page':
      response.writeHead(502, { 'Content-Type': 'text/html' });
      response.end('<html>Bad gateway</html>');
      return false;
    case 'cut':
      response.socket?.destroy();
      return false;
    case 'slow':
      await new Promise((resolve) => {
        setTimeout(resolve, fault.delayMs);
      });
      return true;
    case 'die-after':
    case 'hang-after':
      return true;
  }
}

function takeFault(statement: string): Fault | undefined {
  const index = faults.findIndex((fault) => statement.startsWith(fault.statement));
  return index < 0 ? undefined : faults.splice(index, 1)[0];
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  const encoding = request.headers['content-encoding'];
  send({ kind: 'request', encoding: encoding ?? 'identity', connection: request.socket.remotePort ?? 0 });
  return (encoding === 'gzip' ? await unzip(bytes) : bytes).toString('utf8');
}

function authenticate(request: IncomingMessage, url: URL): void {
  const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
  const [, basicUser = 'default', basicPassword = ''] =
    /^([^:]*):(.*)$/s.exec(Buffer.from(basic, 'base64').toString('utf8')) ?? [];
  const givenUser = request.headers['x-clickhouse-user'] ?? url.searchParams.get('user') ?? basicUser;
  const givenPassword =
    request.headers['x-clickhouse-key'] ?? url.searchParams.get('password') ?? basicPassword;
  if (givenUser === user && givenPassword === password) return;
  throw new Exception(
    516,
    403,
    `Code: 516. DB::Exception: ${String(givenUser)}: Authentication failed: password is incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)`,
  );
}

async function run(
  statement: string,
  url: URL,
): Promise<{ bytes: Uint8Array; summary: Record<string, string> }> {
  const session = new Session(directory);
  try {
    for (const [name, value] of url.searchParams) {
      if (transportNames.has(name)) continue;
      // SET, one by one: a list of statements before an insert would cut its rows at semicolons.
      await session.queryAsync(`SET ${name} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`);
    }
    const result = await session.queryAsync(statement, {
      format: url.searchParams.get('default_format') ?? 'TabSeparated',
    });
    const summary = {
      read_rows: `${result.rowsRead}`,
      read_bytes: `${result.bytesRead}`,
      elapsed_ns: `${Math.round(result.elapsed * 1e9)}`,
    };
    return { bytes: result.bytes(), summary };
  } finally {
    session.close();
  }
}

function asException(error: unknown): Exception {
  if (error instanceof Exception) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = Number(/Code: (\d+)\./.exec(message)?.[1] ?? 1002);
  return new Exception(code, 500, message);
}

function send(message: ServerMessage): void {
  process.send?.(message);
}

process.on('message', (order: ServerOrder) => {
  if (order.kind === 'stop') {
    server.close();
    server.closeAllConnections();
    engine.close();
    process.disconnect();
    return;
  }
  faults.push(order.fault);
  send({ kind: 'armed' });
});
process.on('disconnect', () => process.exit(0));

server.listen(Number(process.argv[5] ?? 0), '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') send({ kind: 'listening', port: address.port });
});
