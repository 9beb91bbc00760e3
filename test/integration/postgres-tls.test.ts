import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PostgresSqlDatabase } from '../../src/drivers/sql-database/sql-database.postgres.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { canRun, postgresPrograms } from '../support/required-programs.ts';
import { userIds } from '../support/server-process.ts';

/* TLS to PostgreSQL as SECURITY.md says, against a server whose certificate is of an authority of its own. */

describe.skipIf(!canRun(postgresPrograms()))('TLS to PostgreSQL', () => {
  let directory: string;
  let server: PostgresServer;

  const openssl = (...args: readonly string[]) =>
    execFileSync('openssl', args, { cwd: directory, stdio: 'ignore' });
  const authority = (name: string) =>
    openssl(
      ...`req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=${name} -keyout ${name}.key -out ${name}.pem`.split(
        ' ',
      ),
    );
  const open = (query: string) =>
    PostgresSqlDatabase.open({
      connectionString: `${server.connectionString}?${query}`,
      poolSize: 1,
      statementTimeoutMs: 30_000,
      applicationName: 'tls',
    });

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'millrace-tls-'));
    chmodSync(directory, 0o755);
    authority('ours');
    authority('other');
    openssl(...'req -newkey rsa:2048 -nodes -subj /CN=ledger -keyout server.key -out server.csr'.split(' '));
    writeFileSync(join(directory, 'names'), 'subjectAltName=IP:127.0.0.1\n');
    openssl(
      ...'x509 -req -in server.csr -CA ours.pem -CAkey ours.key -days 2 -extfile names -out server.pem'.split(
        ' ',
      ),
    );
    chmodSync(join(directory, 'server.key'), 0o600);
    if (process.getuid?.() === 0) {
      const { uid, gid } = userIds('postgres');
      chownSync(join(directory, 'server.key'), uid, gid);
    }
    server = await PostgresServer.start({
      settings: {
        ssl: 'on',
        ssl_cert_file: join(directory, 'server.pem'),
        ssl_key_file: join(directory, 'server.key'),
      },
    });
  });

  afterAll(async () => {
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  it('is encrypted when the authority is the configured one', async () => {
    const database = await open(`sslmode=verify-full&sslrootcert=${join(directory, 'ours.pem')}`);
    const { rows } = await database.query<{ ssl: boolean }>({
      name: 'test.ssl',
      text: 'select ssl from pg_stat_ssl where pid = pg_backend_pid()',
    });
    expect(rows).toEqual([{ ssl: true }]);
    await database.close();
  });

  it('is refused with another authority, and does not fall back to plain text', async () => {
    await expect(open(`sslmode=verify-full&sslrootcert=${join(directory, 'other.pem')}`)).rejects.toThrow(
      /certificate/i,
    );
  });
});
