import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Certificates } from '../support/certificates.ts';
import { ClickHouseHttpServer } from '../support/clickhouse-http-server.ts';
import { RedisServer } from '../support/redis-server.ts';
import { canRun, redisPrograms } from '../support/required-programs.ts';
import { freePort } from '../support/server-process.ts';

/* TLS to Redis and to ClickHouse as SECURITY.md says, against servers whose certificate is of an authority of its own. */

const run = promisify(execFile);
let certificates: Certificates;

beforeAll(() => {
  certificates = Certificates.make();
});
afterAll(() => certificates.remove());

/** What a client that trusts this authority was answered, or why it was not. */
async function ask(store: 'redis' | 'clickhouse', url: string, authority?: string): Promise<unknown> {
  const script = join(import.meta.dirname, '../support/tls-client-process.ts');
  const { stdout } = await run(process.execPath, [script, store, url], {
    env: authority === undefined ? {} : { NODE_EXTRA_CA_CERTS: authority },
  });
  return JSON.parse(stdout);
}

describe.skipIf(!canRun(redisPrograms()))('TLS to Redis', () => {
  let redis: RedisServer;
  let port: number;

  beforeAll(async () => {
    port = await freePort();
    redis = await RedisServer.start({
      settings: {
        'tls-port': String(port),
        'tls-cert-file': certificates.serverCertificate,
        'tls-key-file': certificates.serverKey,
        'tls-ca-cert-file': certificates.authority,
        'tls-auth-clients': 'no',
      },
    });
  });
  afterAll(() => redis.stop());

  it('works when the authority is a trusted one', async () => {
    expect(await ask('redis', `rediss://127.0.0.1:${port}`, certificates.authority)).toEqual({
      answer: false,
    });
  });

  it.each(['another', 'no'])('is refused with %s authority, and says why', async (which) => {
    const authority = which === 'no' ? undefined : certificates.otherAuthority;
    expect(await ask('redis', `rediss://127.0.0.1:${port}`, authority)).toEqual({
      code: 'MILLRACE_QUEUE_UNAVAILABLE',
      message: expect.stringMatching(/certificate/i) as string,
    });
  });

  it('is refused under another name than the certificate has', async () => {
    expect(await ask('redis', `rediss://localhost:${port}`, certificates.authority)).toEqual({
      code: 'MILLRACE_QUEUE_UNAVAILABLE',
      message: expect.stringMatching(/certificate|altnames/i) as string,
    });
  });
});

describe('TLS to ClickHouse', () => {
  let directory: string;
  let clickHouse: ClickHouseHttpServer;
  let proxy: Server;
  const sockets = new Set<Socket>();
  const portOf = (): number => (proxy.address() as AddressInfo).port;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'millrace-tls-usage-'));
    clickHouse = new ClickHouseHttpServer(directory);
    await clickHouse.start();
    const target = Number(new URL(clickHouse.url).port);
    proxy = createServer(certificates.server, (secure) => {
      const plain = connect(target, '127.0.0.1');
      for (const socket of [secure, plain]) {
        sockets.add(socket);
        // One end that breaks ends the other.
        socket
          .on('error', () => undefined)
          .on('close', () => {
            sockets.delete(socket);
            secure.destroy();
            plain.destroy();
          });
      }
      secure.pipe(plain).pipe(secure);
    });
    proxy.on('tlsClientError', () => undefined);
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
  });
  afterAll(async () => {
    proxy.close();
    for (const socket of sockets) socket.destroy();
    await clickHouse.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  it('works when the authority is a trusted one', async () => {
    expect(await ask('clickhouse', `https://127.0.0.1:${portOf()}`, certificates.authority)).toEqual({
      answer: [{ one: 1 }],
    });
  });

  it.each(['another', 'no'])('is refused with %s authority, and says why', async (which) => {
    const authority = which === 'no' ? undefined : certificates.otherAuthority;
    expect(await ask('clickhouse', `https://127.0.0.1:${portOf()}`, authority)).toEqual({
      code: 'MILLRACE_COLUMN_STORE_UNAVAILABLE',
      message: expect.stringMatching(/certificate/i) as string,
    });
  });
});
