import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { createMillraceApp, type MillraceApp } from '../../src/host/create-millrace-app.ts';
import { Host } from '../../src/host/host.ts';
import { PostgresSqlDatabase } from '../../src/drivers/sql-database/sql-database.postgres.ts';
import { newId } from '../../src/kernel/ids.ts';
import { defineMessage, defineStage, Stage } from '../../src/millrace.ts';
import { erasureSchema, requestedErasureSchema } from '../../src/capabilities/erasure/erasure-documents.ts';
import { claimOf, someAdmission, someLedger } from '../support/ledger-fixture.ts';
import { newHostDirectory } from '../support/migrated-columns.ts';
import { canRun, postgresPrograms } from '../support/required-programs.ts';
import { newLedger } from '../support/shared-postgres.ts';
import { runCommand } from '../support/run-command.ts';
import { requestTo } from './request-to.ts';

/* Erasure as those who ask for it meet it: over HTTP, and with `millrace erase` beside a host and without one. */

const Ticket = defineMessage('ticket').version(1, z.object({ text: z.string() }));
const definition = defineStage('triage', { consumes: Ticket.upTo(1) });
class Triage {
  handle({ data }: { data: { text: string } }): { of: string } {
    return { of: data.text };
  }
}
Stage(definition)(Triage);

const readRow = {
  name: 'test.row',
  text: `select customer, body, result from millrace.messages where id = $1::uuid`,
};
const patience = { timeout: 30_000, interval: 50 };

describe('beside a running host', () => {
  let directory: string;
  let app: MillraceApp;
  const keys: Record<string, string> = {};

  const run = (...args: readonly string[]) => runCommand([...args, '--data', directory]);
  const newKey = async (...args: readonly string[]): Promise<string> => {
    const made = await run('keys', 'create', '--name', 'test', ...args);
    expect(made.code, made.stderr).toBe(0);
    return made.stdout.trim();
  };
  const ask = (key: string, path = '', body?: object) => {
    const request = requestTo(String(app.url))[body === undefined ? 'get' : 'post'](`/v1/erasures${path}`);
    return request.set('authorization', `Bearer ${key}`).send(body);
  };
  const work = async (customer: string, team = 'blue'): Promise<string> => {
    const origin = { team, customer, feature: 'shop' };
    const { messageIds } = await app.millrace.admit(Ticket.v1, { text: `secret of ${customer}` }, { origin });
    const [id = ''] = messageIds;
    expect(await app.millrace.waitFor(id)).toMatchObject({ state: 'completed' });
    return id;
  };
  const row = async (id: string) => {
    const { database } = app.nest.get(Host).stores;
    const found = await database.query<{ customer: string; body: string; result: string | null }>(readRow, [
      id,
    ]);
    return found.rows[0];
  };

  beforeAll(async () => {
    directory = await newHostDirectory('millrace-erasures-');
    app = await createMillraceApp({
      providers: [Triage],
      environment: {},
      config: { dataDirectory: directory, http: { port: 0 }, logging: { level: 'error' } },
    });
    keys['erase'] = await newKey('--scope', 'erasures:write');
    keys['operate'] = await newKey('--scope', 'operations:write');
    keys['blue'] = await newKey('--scope', 'erasures:write', '--team', 'blue');
  });
  afterAll(async () => {
    await app.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('is asked for with a scope of its own, first as a dry run, and is done soon after the answer', async () => {
    const id = await work('acme');
    const body = { customer: 'acme', reason: 'request 1' };
    expect((await ask(keys['operate'] ?? '', '', body)).status).toBe(403);
    const dryRun = await ask(keys['erase'] ?? '', '', { ...body, dryRun: true });
    expect(dryRun.status).toBe(200);
    expect(requestedErasureSchema.parse(dryRun.body)).toMatchObject({
      dryRun: true,
      messages: 1,
      open: 0,
    });
    expect(await row(id)).toMatchObject({ customer: 'acme' });

    const asked = await ask(keys['erase'] ?? '', '', body);
    const erasure = erasureSchema.strict().parse(asked.body);
    expect([asked.status, erasure.state]).toEqual([202, 'at_work']);
    const state = async () => erasureSchema.parse((await ask(keys['erase'] ?? '', `/${erasure.id}`)).body);
    await vi.waitFor(
      async () => expect(await state()).toMatchObject({ state: 'ended', messages: 1 }),
      patience,
    );
    expect(await row(id)).toEqual({ customer: erasure.pseudonym, body: 'null', result: null });
    expect((await ask(keys['blue'] ?? '', `/${erasure.id}`)).status).toBe(404);

    const { database } = app.nest.get(Host).stores;
    const { rows } = await database.query<{ actor: string; reason: string; target: string }>({
      name: 'test.audit',
      text: `select actor, reason, target from millrace.operator_actions where action = 'erasures.erase'`,
    });
    expect(rows).toEqual([
      {
        actor: expect.stringMatching(/^key:test:/) as string,
        reason: 'request 1',
        target: expect.stringMatching(/^customer sha256:/) as string,
      },
    ]);
  });

  it('refuses what is no request, what is another team’s, and what is not at its end', async () => {
    await work('shared', 'rose');
    const refuse = async (key: string, body: object) => {
      const response = await ask(key, '', body);
      return [response.status, (response.body as { code: string }).code];
    };
    const all = keys['erase'] ?? '';
    const reason = 'x';
    expect(await refuse(all, { reason })).toEqual([400, 'MILLRACE_REQUEST_INVALID']);
    expect(await refuse(all, { customer: 'a' })).toEqual([400, 'MILLRACE_REQUEST_INVALID']);
    expect(await refuse(all, { customer: 'a', reason, force: true })).toEqual([
      400,
      'MILLRACE_REQUEST_INVALID',
    ]);
    expect(await refuse(all, { message: newId(new Date()), reason })).toEqual([404, 'MILLRACE_NOT_FOUND']);
    expect(await refuse(keys['blue'] ?? '', { team: 'rose', reason })).toEqual([403, 'MILLRACE_FORBIDDEN']);
    const paused = await run('pause', 'all', '--reason', 'test');
    expect(paused.code, paused.stderr).toBe(0);
    const origin = { team: 'blue', customer: 'busy', feature: 'shop' };
    await app.millrace.admit(Ticket.v1, { text: 'waits' }, { origin });
    expect(await refuse(all, { customer: 'busy', reason })).toEqual([409, 'MILLRACE_ERASURE_BLOCKED']);
    await run('resume', 'all', '--reason', 'test');
  });

  it('is done by the command, which shows first what there is', async () => {
    const id = await work('globex');
    const shown = await run('erase', '--customer', 'globex', '--dry-run', '--json');
    expect(shown.code, shown.stderr).toBe(0);
    expect(JSON.parse(shown.stdout)).toMatchObject({ isDryRun: true, messages: 1 });
    expect(await run('erase', '--customer', 'globex')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--reason') as string,
    });
    const erased = await run('erase', '--customer', 'globex', '--reason', 'request 2');
    expect(erased.code, erased.stderr).toBe(0);
    expect(erased.stdout).toMatch(/^Erased: 1 message \(.* The name is now erased-/);
    expect(await row(id)).toMatchObject({
      body: 'null',
      customer: expect.stringMatching(/^erased-/) as string,
    });
  });
});

describe.skipIf(!canRun(postgresPrograms()))('without a host, on PostgreSQL', () => {
  let directory: string;
  let url: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-erasures-'));
    url = await newLedger();
  });
  afterAll(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  it('is done by the command', async () => {
    const run = (...args: readonly string[]) =>
      runCommand(args, {
        MILLRACE_POSTGRES_URL: url,
        // Nothing of it is asked.
        MILLRACE_QUEUE_URL: 'redis://127.0.0.1:9',
        MILLRACE_DATA_DIRECTORY: directory,
      });
    const migrated = await run('migrate');
    expect(migrated.code, migrated.stderr).toBe(0);
    const database = await PostgresSqlDatabase.open({
      connectionString: url,
      poolSize: 2,
      statementTimeoutMs: 30_000,
      applicationName: 'test',
    });
    try {
      const messages = someLedger(database);
      const id = newId(new Date());
      await messages.admit(
        someAdmission({ id, origin: { team: 't', customer: 'acme', feature: 'f' } }, '{"text":"secret"}'),
      );
      const blocked = await run('erase', '--customer', 'acme', '--reason', 'request 3');
      expect(blocked).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('MILLRACE_ERASURE_BLOCKED') as string,
      });
      const leased = await claimOf(database, messages, id, 60_000);
      if (leased.kind !== 'leased') throw new Error(leased.kind);
      const { fencingToken } = leased.message;
      await messages.finish({
        id,
        fencingToken,
        result: '{"of":"secret"}',
        emissions: [],
        durationMs: 1,
      });
      const erased = await run('erase', '--customer', 'acme', '--reason', 'request 3', '--json');
      expect(erased.code, erased.stderr).toBe(0);
      const { pseudonym } = JSON.parse(erased.stdout) as { pseudonym: string };
      const { rows } = await database.query(readRow, [id]);
      expect(rows).toEqual([{ customer: pseudonym, body: 'null', result: null }]);
    } finally {
      await database.close();
    }
  });
});
