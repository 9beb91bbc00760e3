import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { capabilities } from '../../src/host/capabilities.ts';
import { readHostStatus } from '../../src/host/host-status.ts';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { FilesPayloadStore } from '../../src/drivers/payload-store/payload-store.files.ts';
import type { PayloadStore } from '../../src/drivers/payload-store/payload-store.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { ErasureLedger } from '../../src/capabilities/erasure/erasure-ledger.ts';
import { ExportLedger } from '../../src/engine/export/export-ledger.ts';
import { Blocks } from '../../src/engine/ledger/blocks.ts';
import { PayloadRemovals } from '../../src/engine/maintenance/payload-removals.ts';
import { ErasureService } from '../../src/capabilities/erasure/erasure-service.ts';
import { PayloadCleaner } from '../../src/engine/maintenance/payload-cleaner.ts';
import { UsageExporter } from '../../src/engine/export/usage-exporter.ts';
import { metricCatalogue } from '../../src/host/metric-catalogue.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { onUsualLedger } from '../support/each-ledger.ts';
import { someAdmission, someLedger } from '../support/ledger-fixture.ts';
import { openMigratedColumns } from '../support/migrated-columns.ts';
import { columnsDyingAt, everythingIn, sumsIn } from './erased-stores.ts';
import { askFor, newKeyOf } from './erased-requests.ts';
import { doWork } from './erased-work.ts';

/* Erasure over real stores: afterwards the name and the texts are nowhere, and every sum is what it was. */

const metrics = createMetrics(metricCatalogue);
const order = { actor: 'ann', reason: 'asked for' };

let directory: string;
let database: SqlDatabase;
let columns: ColumnStore;
let payloads: PayloadStore;

const exporter = () =>
  new UsageExporter({
    ledger: new ExportLedger(database),
    store: columns,
    clock: systemClock,
    logger: silentLogger,
    metrics,
  });

const service = (store: ColumnStore = columns) =>
  new ErasureService({
    ledger: new ErasureLedger({ database, clock: { ...systemClock, sleep: () => Promise.resolve() } }),
    store,
    cleaner: new PayloadCleaner({
      removals: new PayloadRemovals(database),
      payloads,
      clock: { ...systemClock, now: () => new Date(Date.now() + 3_600_000) },
      metrics,
      untouchedMs: 600_000,
    }),
    clock: systemClock,
  });

const everything = () => everythingIn({ database, columns, directory });
const sums = () => sumsIn({ database, columns });
const dyingAt = (step: number, isDone: boolean) => columnsDyingAt(columns, step, isDone);

const costs = ['0.000000000000000001', '1.234567890123456789', '0.1', '99999.999999999999999999'];
const days = ['2025-01-31T23:59:59.999Z', '2025-02-01T00:00:00Z'];

async function fill(team: string, customer: string, secret: string): Promise<string[]> {
  const ids: string[] = [];
  await askFor({ database, payloads }, { team, customer, secret });
  for (const [index, cost] of costs.entries()) {
    ids.push(
      await doWork(
        { database, payloads },
        { team, customer, secret, cost, day: days[index % days.length] ?? '' },
        index % 2 === 0,
      ),
    );
  }
  return ids;
}

onUsualLedger((_, openLedger) => {
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-erase-'));
    database = await openLedger();
    columns = await openMigratedColumns({ directory: join(directory, 'usage'), database: 'millrace' });
    payloads = await new FilesPayloadStore({ directory: join(directory, 'payloads') }).open(new Date());
  });

  afterAll(async () => {
    await columns.close();
    await rm(directory, { recursive: true, force: true });
  });

  /** A schedule that sends for the customer, with a run that was refused. */
  async function writeSchedule(customer: string, secret: string): Promise<void> {
    const definition = { cron: '0 6 * * *', message: { data: secret, origin: { team: 'blue', customer } } };
    await database.query(
      {
        name: 'test.schedule',
        text: `with made as (
            insert into millrace.schedules (id, team, name, source, definition, overlap, customer, from_at, actor, created_at, changed_at)
            values (gen_random_uuid(), 'blue', $1, 'operator', $2, 'allow', $3, now(), 'ann', now(), now()) returning id)
          insert into millrace.schedule_runs (schedule_id, at, kind, state, planned_at, ended_at, detail)
          select id, now(), 'scheduled', 'failed', now(), now(), $1 from made`,
      },
      [secret, JSON.stringify(definition), customer],
    );
  }

  it('leaves neither the name nor any text of a customer anywhere, and every sum as it was', async () => {
    const customer = `Zoë O'Neil "\\ 1"`;
    await fill('blue', customer, 'sekrit-a');
    await exporter().drain();
    // These wait in the outbox.
    await fill('blue', customer, 'sekrit-a');
    await fill('blue', 'neighbour', 'kept-b');
    await new Blocks({ database, clock: systemClock }).place({
      scope: 'customer',
      value: customer,
      aborts: false,
      actor: 'bob',
      reason: `${customer} asked`,
    });
    const isKeyGood = await newKeyOf(database, customer);
    await writeSchedule(customer, 'sekrit-a');
    await writeSchedule('neighbour', 'kept-schedule');
    const preview = await service().preview({ customer });
    expect(preview).toMatchObject({ isDryRun: true, messages: 8, deadLetters: 4, calls: 16, open: 0 });
    const before = await everything();
    expect(before).toContain('sekrit-a');
    const report = await service().erase({ customer }, order);
    expect(report).toMatchObject({
      isDryRun: false,
      messages: 8,
      pseudonym: expect.stringMatching(/^erased-/),
    });
    await exporter().drain();
    const after = await everything();
    expect(after.match(/.{0,80}sekrit-a/g)).toBeNull();
    expect(after.match(/.{0,80}(?:Zoë|O'Neil)/g)).toBeNull();
    expect(await isKeyGood()).toBe(false);
    expect(after).toContain('kept-b');
    expect(after).toContain('kept-schedule');
    expect(after).toContain(report.pseudonym);
    const { ledger, usage } = await sums();
    expect(ledger).toEqual(usage);
    expect(await service().preview({ customer })).toMatchObject({ messages: 0, calls: 0, usageRows: 0 });
  });

  it.each([
    ['before', 'red'],
    ['after', 'pink'],
  ])(
    'goes on after a death %s any change of the column store, and counts nothing twice',
    async (when, team) => {
      await fill(team, 'acme', `sekrit-${team}`);
      await fill('green', 'acme', 'kept-d');
      await exporter().drain();
      const before = await sums();
      const selection = { customer: 'acme', team };
      let deaths = 0;
      for (let step = 1; step <= 8; step += 1) {
        // What is changed already is not changed again: after each death the first change is the next one.
        const died = await service(dyingAt(when === 'after' ? 1 : step, when === 'after'))
          .erase(selection, order)
          .then(
            () => false,
            () => true,
          );
        if (!died) break;
        deaths += 1;
        // Nothing is exported beside it.
        expect(await exporter().exportNext()).toBe(false);
      }
      expect(deaths).toBe(2);
      await service().erase(selection, order);
      expect(await sums()).toEqual(before);
      const after = await everything();
      expect(after.match(new RegExp(`.{0,80}sekrit-${team}`, 'g'))).toBeNull();
      expect(after).toContain('kept-d');
      const left = await columns.query(
        "SELECT DISTINCT team FROM mergeTreeProjection(millrace, usage, customers_by_day) WHERE customer = 'acme'",
      );
      expect(left).toEqual([{ team: 'green' }]);
    },
  );

  it('is gone on with by a maintenance process when its process died, which others may export after', async () => {
    await fill('amber', 'acme', 'sekrit-f');
    await exporter().drain();
    const before = await sums();
    const selection = { customer: 'acme', team: 'amber' };
    await expect(service(dyingAt(2, true)).erase(selection, order)).rejects.toThrow('died');
    await fill('blue', 'neighbour', 'kept-g');
    expect(await exporter().exportNext()).toBe(false);
    expect(await service().goOn()).toBe(true);
    expect(await service().goOn()).toBe(false);
    expect(await sums()).toMatchObject({ usage: before['usage'], daily: before['daily'] });
    const after = await everything();
    expect(after.match(/.{0,80}sekrit-f/g)).toBeNull();
    const waiting = await new ExportLedger(database).backlog();
    expect(waiting.records).toBeGreaterThan(0);
    await exporter().drain();
    expect(await new ExportLedger(database).backlog()).toMatchObject({ records: 0, openBatches: 0 });
  });

  it('is left to the process that works on it, until that is silent for too long', async () => {
    await fill('teal', 'acme', 'sekrit-h');
    await exporter().drain();
    const ledger = new ErasureLedger({ database, clock: systemClock });
    const selection = { kind: 'customer', customer: 'acme', team: 'teal' } as const;
    const erasure = await ledger.begin(await ledger.request(selection, order));
    if (erasure === undefined) throw new Error('it was not begun');
    expect(await service().goOn()).toBe(false);
    await ledger.renew(erasure);
    await database.query({
      name: 'test.silent',
      text: `update millrace.erasures set leased_until = clock_timestamp() - interval '1 second' where ended_at is null`,
    });
    expect(await service().goOn()).toBe(true);
    // Whoever comes back to it changes nothing more.
    const lost = { code: 'MILLRACE_ERASURE_BLOCKED' };
    await expect(ledger.renew(erasure)).rejects.toMatchObject(lost);
    await expect(ledger.end(erasure, selection, 4)).rejects.toMatchObject(lost);
    expect(await ledger.find(erasure.id)).toMatchObject({ messages: 4 });
  });

  it('is done by a maintenance process when it is only asked for, and then shows its end, not the name', async () => {
    await fill('plum', 'acme-plum', 'sekrit-i');
    const asked = await service().request({ customer: 'acme-plum' }, order, { team: 'plum' });
    expect(asked).toMatchObject({ dryRun: false, kind: 'customer', state: 'at_work' });
    expect(await service().request({ customer: 'acme-plum' }, order, { team: 'plum' })).toEqual(asked);
    const other = service().request({ customer: 'neighbour' }, order, {});
    await expect(other).rejects.toMatchObject({ code: 'MILLRACE_ERASURE_BLOCKED' });
    // One of nobody ends at once, beside it, and takes no place.
    for (const customer of ['nobody', 'none', 'nobody'])
      expect(await service().request({ customer }, order, { team: 'void' })).toMatchObject({
        state: 'ended',
        messages: 0,
      });
    expect(await service().goOn()).toBe(true);
    expect(await service().find(asked.id, { team: 'plum' })).toMatchObject({ state: 'ended', messages: 4 });
    expect(await service().find(asked.id, { team: 'rose' })).toBeUndefined();
    expect((await everything()).match(/.{0,80}(?:acme-plum|sekrit-i)/g)).toBeNull();
  });

  it('of a team changes nothing of another', async () => {
    const [id = ''] = await fill('rust', 'acme', 'kept-j');
    const viewer = { team: 'rose' };
    const ask = (request: Parameters<ErasureService['request']>[0]) =>
      service().request(request, order, viewer);
    await expect(ask({ customer: 'acme', team: 'rust' })).rejects.toMatchObject({
      code: 'MILLRACE_FORBIDDEN',
    });
    await expect(ask({ team: 'rust' })).rejects.toMatchObject({ code: 'MILLRACE_FORBIDDEN' });
    await expect(ask({ message: id })).rejects.toMatchObject({ code: 'MILLRACE_NOT_FOUND' });
    expect(await service().preview({ customer: 'acme' }, viewer)).toMatchObject({ messages: 0, calls: 0 });
  });

  it('of a team leaves budgets, pauses and the audit of others as they are', async () => {
    const pauses = new Blocks({ database, clock: systemClock });
    const pause = { scope: 'customer', value: 'acme', aborts: false, actor: 'bob', reason: 'acme' } as const;
    await pauses.place(pause);
    await database.execute(
      `insert into millrace.quotas (name, team, customer, window_unit, limit_amount, at_limit, unpriced) values
         ('everybody', null, 'acme', 'day', 1, 'park', 'allow'), ('others', 'rust', 'acme', 'day', 1, 'park', 'allow'),
         ('own', 'rose', 'acme', 'day', 1, 'park', 'allow')`,
    );
    const read = async (text: string) =>
      (await database.query({ name: `test.text_${text.length}`, text })).rows;
    const standing = `select * from millrace.blocks order by id`;
    const audit = `select id, target, reason, detail::text from millrace.operator_actions where action <> 'erasures.erase' order by id`;
    const before = [await read(standing), await read(audit)];
    await service().erase({ customer: 'acme', team: 'rose' }, order);
    expect([await read(standing), await read(audit)]).toEqual(before);
    expect(
      await read(
        `select name, customer = 'acme' and retired_at is null as pauses from millrace.quotas order by name`,
      ),
    ).toEqual([
      { name: 'everybody', pauses: true },
      { name: 'others', pauses: true },
      { name: 'own', pauses: false },
    ]);
    await pauses.remove(pause, pause);
  });

  it.each([':', '"', '{', 'root', 'scope', 'placed', '\\'])(
    'of a customer called %j ends, and leaves the audit alone where it only has the same letters',
    async (customer) => {
      const value = `root ${customer} placed`;
      const pauses = new Blocks({ database, clock: systemClock });
      await pauses.place({ scope: 'feature', value, aborts: false, actor: 'bob', reason: `is ${customer}` });
      const audit = {
        name: 'test.others',
        text: `select id, target, reason, detail::text from millrace.operator_actions where action <> 'erasures.erase' order by id`,
      };
      const before = (await database.query(audit)).rows;
      await fill('sand', customer, 'sekrit-k');
      const request = service().request({ customer }, order, { team: 'sand' });
      expect(await request).toMatchObject({ state: 'at_work' });
      expect(await service().goOn()).toBe(true);
      await service().erase({ customer }, order);
      expect((await database.query(audit)).rows).toEqual(before);
    },
  );

  it('is given up when its data is refused again and again, and then stops nobody', async () => {
    const erasures = async () =>
      (await readHostStatus({ database, clock: systemClock, capabilities })).erasures;
    const backlog = () => new ExportLedger(database).backlog();
    await fill('gold', 'poison', 'sekrit-l');
    await database.execute(
      `insert into millrace.outbox (target, line) values ('usage', '{"customer":"poison"')`,
    );
    const asked = await service().request({ customer: 'poison' }, order, { team: 'gold' });
    for (let tries = 1; tries <= 5; tries += 1) {
      expect(await erasures()).toContainEqual(expect.objectContaining({ id: asked.id, state: 'at_work' }));
      expect(await exporter().exportNext()).toBe(false);
      await expect(service().goOn()).rejects.toThrow(SyntaxError);
    }
    expect(await service().goOn()).toBe(false);
    const failed = { state: 'failed', failure: { code: 'MILLRACE_INTERNAL', tries: 5 } };
    expect(await service().find(asked.id, { team: 'gold' })).toMatchObject(failed);
    expect(await erasures()).toContainEqual(expect.objectContaining({ id: asked.id, state: 'failed' }));
    const { rows } = await database.query<{ selection: unknown; target: string; count: number }>({
      name: 'test.failed',
      text: `select e.selection, a.target, count(*) over ()::int as count from millrace.erasures e
        join millrace.operator_actions a on a.detail ->> 'erasure' = e.id::text where e.id = '${asked.id}'`,
    });
    expect(rows).toEqual([
      { selection: null, target: expect.stringMatching(/^customer sha256:/) as string, count: 1 },
    ]);
    await database.execute(`delete from millrace.outbox where line = '{"customer":"poison"'`);
    expect((await backlog()).records).toBeGreaterThan(0);
    await exporter().drain();
    expect((await backlog()).records).toBe(0);
    // Asked for again, it is another erasure, and ends.
    await service().erase({ customer: 'poison', team: 'gold' }, order);
    expect((await everything()).match(/.{0,80}(?:poison|sekrit-l)/g)).toBeNull();
  });

  it('is not given up once the column store is begun', async () => {
    await fill('iron', 'acme', 'sekrit-m');
    await exporter().drain();
    const selection = { customer: 'acme', team: 'iron' };
    for (let tries = 1; tries <= 7; tries += 1)
      await expect(service(dyingAt(1, false)).erase(selection, order)).rejects.toThrow('died');
    expect(await new ErasureLedger({ database, clock: systemClock }).findOpen()).toBeDefined();
    await service().erase(selection, order);
    expect((await everything()).match(/.{0,80}sekrit-m/g)).toBeNull();
  });

  it('refuses while work of it is open, and says how much', async () => {
    await someLedger(database).admit(
      someAdmission({ origin: { team: 't', customer: 'busy', feature: 'f' } }),
    );
    await expect(service().erase({ customer: 'busy' }, order)).rejects.toMatchObject({
      code: 'MILLRACE_ERASURE_BLOCKED',
      message: expect.stringContaining('1 messages, calls or items of batches') as string,
    });
  });

  it('erases one message with its tree, and all customers of a team, which keeps its name', async () => {
    const [id = '', other = ''] = await fill('white', 'lonely', 'sekrit-e');
    await exporter().drain();
    const before = await sums();
    expect(await service().erase({ message: id }, order)).toMatchObject({ messages: 1, calls: 1 });
    const { rows } = await database.query<{ id: string; body: string | null; customer: string }>({
      name: 'test.two',
      text: `select id, body, customer from millrace.messages where id = '${id}' or id = '${other}'`,
    });
    expect(rows.find((row) => row.id === id)).toEqual({ id, body: 'null', customer: 'lonely' });
    expect(rows.find((row) => row.id === other)?.body).toContain('sekrit-e');
    await service().erase({ team: 'white' }, order);
    const after = await everything();
    expect(after.match(/.{0,80}sekrit-e/g)).toBeNull();
    expect(after.match(/.{0,80}"lonely"/g)).toBeNull();
    expect(await sums()).toEqual(before);
  });

  it.each([{}, { customer: '' }, { customer: 'a', message: 'b' }])(
    'needs one selection: %j',
    async (request) => {
      await expect(service().preview(request)).rejects.toMatchObject({ code: 'MILLRACE_REQUEST_INVALID' });
    },
  );

  it('leaves an audit without the name', async () => {
    const { rows } = await database.query<{ target: string; reason: string }>({
      name: 'test.audit',
      text: `select target, reason from millrace.operator_actions where action = 'erasures.erase' order by at`,
    });
    expect(rows.length).toBeGreaterThan(3);
    expect(rows[0]?.target).toMatch(/^customer sha256:[0-9a-f]{64}$/);
  });
});
