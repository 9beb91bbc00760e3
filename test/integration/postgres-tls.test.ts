import { chownSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PostgresSqlDatabase } from '../../src/drivers/sql-database/sql-database.postgres.ts';
import { Certificates } from '../support/certificates.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { canRun, postgresPrograms } from '../support/required-programs.ts';
import { userIds } from '../support/server-process.ts';

/* TLS to PostgreSQL as SECURITY.md says, against a server whose certificate is of an authority of its own. */

describe.skipIf(!canRun(postgresPrograms()))('TLS to PostgreSQL', () => {
  let certificates: Certificates;
  let server: PostgresServer;

  const open = (query: string) =>
    PostgresSqlDatabase.open({
      connectionString: `${server.connectionString}?${query}`,
      poolSize: 1,
      statementTimeoutMs: 30_000,
      applicationName: 'tls',
    });

  beforeAll(async () => {
    certificates = Certificates.make();
    if (process.getuid?.() === 0) {
      const { uid, gid } = userIds('postgres');
      chownSync(certificates.serverKey, uid, gid);
    }
    server = await PostgresServer.start({
      settings: {
        ssl: 'on',
        ssl_cert_file: certificates.serverCertificate,
        ssl_key_file: certificates.serverKey,
      },
    });
  });

  afterAll(async () => {
    await server.stop();
    certificates.remove();
  });

  it('is encrypted when the authority is the configured one', async () => {
    const database = await open(`sslmode=verify-full&sslrootcert=${certificates.authority}`);
    const { rows } = await database.query<{ ssl: boolean }>({
      name: 'test.ssl',
      text: 'select ssl from pg_stat_ssl where pid = pg_backend_pid()',
    });
    expect(rows).toEqual([{ ssl: true }]);
    await database.close();
  });

  it('is refused with another authority, and does not fall back to plain text', async () => {
    await expect(open(`sslmode=verify-full&sslrootcert=${certificates.otherAuthority}`)).rejects.toThrow(
      /certificate/i,
    );
  });
});
