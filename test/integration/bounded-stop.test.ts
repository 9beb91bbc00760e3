import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Host } from '../../src/host/host.ts';
import type { SqlDatabase, SqlExecutor } from '../../src/drivers/sql-database/sql-database.ts';
import { PostgresSqlDatabase } from '../../src/drivers/sql-database/sql-database.postgres.ts';
import { defineMessage } from '../../src/messages/message-type.ts';
import type { StageContext } from '../../src/engine/pipeline/stage-context.ts';
import { defineStage } from '../../src/engine/pipeline/stage-definition.ts';
import type { RegisteredStage } from '../../src/engine/pipeline/stage-registry.ts';
import { canRun, postgresPrograms, redisPrograms } from '../support/required-programs.ts';
import { SeveralHosts } from '../support/several-hosts.ts';

const TicketOpened = defineMessage('ticket.opened').version(1, z.object({ subject: z.string() }));
const TicketClosed = defineMessage('ticket.closed').version(1, z.object({ by: z.string() }));
const definition = defineStage('answer', {
  consumes: TicketOpened.upTo(1),
  emits: [TicketClosed.v1],
  concurrency: 1,
});
const origin = { team: 'blue', customer: 'acme', feature: 'triage' };

type Handle = (ctx: StageContext) => Promise<unknown>;

const stageOf = (handle: Handle): RegisteredStage =>
  ({
    definition,
    handler: { handle: (_message: unknown, ctx: StageContext) => handle(ctx) },
  }) as unknown as RegisteredStage;

describe.skipIf(![postgresPrograms(), redisPrograms()].every((program) => canRun(program)))(
  'a host that is stopped',
  () => {
    let hosts: SeveralHosts;
    let database: SqlDatabase | undefined;
    beforeAll(async () => {
      hosts = await SeveralHosts.begin();
    });
    afterEach(async () => {
      await hosts.stopHosts();
      await database?.close();
      database = undefined;
    });
    afterAll(() => hosts.end());

    const start = (ledgerUrl: string, handle: Handle, shutdownGraceMs: number): Promise<Host> =>
      hosts.start(ledgerUrl, {
        stages: [stageOf(handle)],
        modelProviders: {},
        config: { shutdownGraceMs },
      });

    async function observe(connectionString: string): Promise<SqlDatabase> {
      database = await PostgresSqlDatabase.open({
        connectionString,
        poolSize: 2,
        statementTimeoutMs: 15_000,
        applicationName: 'observer',
      });
      return database;
    }

    async function messages(observer: SqlDatabase, stage: string) {
      const { rows } = await observer.query(
        {
          name: 'test.messages',
          text: `select state, fencing_token, attempts, result from millrace.messages where stage = $1`,
        },
        [stage],
      );
      return rows;
    }

    const admit = (host: Host): Promise<unknown> =>
      host.admissions.admit(TicketOpened.v1, { subject: 'The printer is on fire' }, { origin });

    it('leaves a handler behind that ignores its signal, and nothing that it does later counts', async () => {
      const ledgerUrl = await hosts.newLedger('deaf');
      const observer = await observe(ledgerUrl);
      const begun = Promise.withResolvers<AbortSignal>();
      const letGo = Promise.withResolvers<undefined>();
      const late = Promise.withResolvers<unknown>();
      const deaf: Handle = async (ctx) => {
        begun.resolve(ctx.signal);
        await letGo.promise;
        const emitting = Promise.resolve()
          .then(() => ctx.emit(TicketClosed.v1, { by: 'deaf' }))
          .then(() => ctx.model('openai/gpt-5-mini', { step: 'late' }));
        late.resolve(await emitting.catch((error: unknown) => error));
        return 'deaf';
      };
      const first = await start(ledgerUrl, deaf, 400);
      await admit(first);
      const signal = await begun.promise;
      const stopped = first.stop().then(() => 'stopped');
      // Far less than the 5 s that an aborted handler otherwise has.
      await expect
        .poll(() => Promise.race([stopped, Promise.resolve('stopping')]), { timeout: 3500, interval: 50 })
        .toBe('stopped');
      expect(signal.aborted).toBe(true);
      expect(await messages(observer, 'answer')).toEqual([
        { state: 'pending', fencing_token: 1, attempts: 0, result: null },
      ]);

      const second = await start(ledgerUrl, () => Promise.resolve('second'), 400);
      const done = [{ state: 'completed', fencing_token: 2, attempts: 0, result: '"second"' }];
      await expect.poll(() => messages(observer, 'answer'), { timeout: 30_000 }).toEqual(done);
      letGo.resolve(undefined);
      await late.promise;
      await second.stop();
      expect(await messages(observer, 'answer')).toEqual(done);
      expect(await messages(observer, '')).toEqual([]);
      const { rows } = await observer.query({ name: 'test.calls', text: 'select id from millrace.calls' });
      expect(rows).toEqual([]);
    });

    it('does not begin what it claimed but had not begun', async () => {
      const ledgerUrl = await hosts.newLedger('claimed');
      const observer = await observe(ledgerUrl);
      let began = 0;
      const handle: Handle = () => {
        began += 1;
        return new Promise(() => undefined);
      };
      const host = await start(ledgerUrl, handle, 60_000);
      await observer.execute(`
        create function millrace.wait_for_test() returns trigger language plpgsql as
          'begin perform pg_advisory_xact_lock_shared(42); return new; end';
        create trigger wait_for_test before update on millrace.messages for each row when (new.state = 'leased')
          execute function millrace.wait_for_test()`);
      // The stop begins while the claim is at the ledger.
      await observer.transaction(async (transaction) => {
        await transaction.query({ name: 'test.lock', text: 'select pg_advisory_xact_lock(42)' });
        await admit(host);
        await expect.poll(() => isClaiming(transaction)).toBe(true);
        void host.stop();
      });
      await host.stop();
      expect(began).toBe(0);
      expect(await messages(observer, 'answer')).toEqual([
        { state: 'pending', fencing_token: 1, attempts: 0, result: null },
      ]);
    });

    async function isClaiming(observer: SqlExecutor): Promise<boolean> {
      const { rows } = await observer.query<{ waits: boolean }>({
        name: 'test.waits',
        text: `select exists (select from pg_locks where locktype = 'advisory' and objid = 42 and not granted) as waits`,
      });
      return rows[0]?.waits === true;
    }
  },
);
