import { beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { applySchedules } from '../../src/capabilities/schedules/apply-schedules.ts';
import { ScheduleGauges } from '../../src/capabilities/schedules/schedule-gauges.ts';
import { scheduleSettings } from '../../src/capabilities/schedules/schedule-settings.ts';
import { AppError } from '../../src/kernel/app-error.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { Died, Mortality, mortalDatabase } from '../support/mortal.ts';
import { ScheduleFixture, scheduleOperator as operator } from '../support/schedule-fixture.ts';

const minuteMs = 60_000;

const codeOf = (error: unknown): unknown => (error instanceof AppError ? error.code : error);

/** What schedules do, on whichever database. */
export function schedulesContract(database: string, open: () => Promise<SqlDatabase>): void {
  describe(`schedules on ${database}`, () => {
    let fixture: ScheduleFixture;
    beforeEach(async () => {
      fixture = await ScheduleFixture.begin(await open());
    });

    /** The last whole minute, and so many before it. */
    const minute = (before: number): Date =>
      new Date(Math.floor(Date.now() / minuteMs) * minuteMs - before * minuteMs);
    /** A schedule of every minute, whose next time was so many minutes ago. */
    async function minutely(before: number, parts: object = {}): Promise<string> {
      const id = await fixture.create({ name: 'minutely', cron: '* * * * *', ...parts });
      await fixture.setNext(id, minute(before));
      return id;
    }
    const states = async (): Promise<readonly string[]> => (await fixture.runs()).map(({ state }) => state);
    const rejection = async (work: Promise<unknown>): Promise<unknown> =>
      codeOf(
        await work.then(
          () => 'done',
          (error: unknown) => error,
        ),
      );

    it('admit one message at each of their times, with the name of the schedule for its item', async () => {
      const id = await minutely(0);
      await fixture.work(fixture.process());
      expect(await fixture.messages()).toMatchObject([
        { source: `/v1/schedules/${id}`, event_id: minute(0).toISOString(), item: 'minutely', team: 'blue' },
      ]);
      const { nextAt } = await fixture.service.show(id, operator, {
        nextTimes: 0,
        runs: 0,
        showsData: false,
      });
      expect(Date.parse(nextAt ?? '')).toBeGreaterThan(Date.now() - minuteMs);
      expect(await states()).toEqual(['started']);
    });

    it('run at no time before it has come', async () => {
      const id = await fixture.create({ name: 'soon', every: '1h', cron: undefined });
      await fixture.setNext(id, new Date(Date.now() + 1500));
      const process = fixture.process();
      await expect
        .poll(async () => {
          await fixture.work(process);
          return (await fixture.runs()).length;
        })
        .toBe(1);
      const [message] = await fixture.messages();
      expect(message?.created_at.getTime()).toBeGreaterThanOrEqual(Date.parse(message?.event_id ?? ''));
    });

    it('leave out what was missed, or make up for it, by their policy', async () => {
      await minutely(10, { name: 'all', missed: 'all' });
      await minutely(10, { name: 'last', missed: 'once' });
      await minutely(10, { name: 'none', missed: 'skip' });
      await minutely(10, { name: 'some', missed: 'all', maxCatchUp: 3 });
      const process = fixture.process();
      await fixture.work(process);
      const runs = Object.groupBy(await fixture.runs(), ({ name }) => name);
      const times = (name: string, state: string): number =>
        (runs[name] ?? []).reduce((sum, run) => sum + (run.state === state ? run.times : 0), 0);
      for (const name of ['all', 'last', 'none', 'some'])
        expect(times(name, 'started') + times(name, 'missed')).toBe(11);
      expect([times('all', 'started'), times('last', 'started'), times('some', 'started')]).toEqual([
        11, 1, 3,
      ]);
      // Those of the last minute are no missed ones.
      expect(times('none', 'started')).toBeGreaterThanOrEqual(1);
      expect(times('none', 'started')).toBeLessThanOrEqual(2);
      const counted = (await process.metrics.render()).body;
      expect(counted).toMatch(/schedule_runs_total\{[^}]*result="started"[^}]*\} \d+/);
    });

    it('skip a run while messages of the one before are open, where they say so', async () => {
      await minutely(3, { missed: 'all', overlap: 'skip' });
      const process = fixture.process();
      await fixture.work(process);
      expect(await states()).toEqual(['started', 'skipped', 'skipped', 'skipped']);
      await fixture.database.execute(
        `update millrace.messages set state = 'completed', sweep_at = null, finished_at = clock_timestamp()`,
      );
      const [id = ''] = (await fixture.service.list(operator, { limit: 1 })).schedules.map((one) => one.id);
      await fixture.setNext(id, new Date(minute(0).getTime() - 5 * minuteMs));
      await fixture.database.execute(`delete from millrace.schedule_runs where state = 'skipped'`);
      await fixture.work(process);
      expect((await fixture.messages()).length).toBe(2);
    });

    it('run now by order, also while they are paused, and go on with their times when they are resumed', async () => {
      const id = await minutely(0);
      await fixture.service.pause(id, 'not now', operator);
      const process = fixture.process();
      await fixture.work(process);
      expect(await fixture.runs()).toEqual([]);
      const { at } = await fixture.service.run(id, 'look at it', operator);
      await fixture.work(process);
      expect(await fixture.runs()).toMatchObject([{ kind: 'manual', state: 'started', at: new Date(at) }]);
      expect(await rejection(fixture.service.pause(id, 'again', operator))).toBe('MILLRACE_SCHEDULE_STATE');
      const resumed = await fixture.service.resume(id, 'go on', operator);
      expect(Date.parse(resumed.nextAt ?? '')).toBeGreaterThan(Date.now());
      expect(await rejection(fixture.service.resume(id, 'again', operator))).toBe('MILLRACE_SCHEDULE_STATE');
    });

    it('are failing when their message is refused, stop no others, and are so no more when it is admitted', async () => {
      const broken = await minutely(0, { name: 'broken' });
      await minutely(0, { name: 'sound' });
      // As when no stage consumes the type any more.
      await fixture.database.execute(
        `update millrace.schedules set definition = replace(definition, 'report.asked', 'report.gone') where name = 'broken'`,
      );
      const process = fixture.process();
      await fixture.work(process);
      expect(await fixture.runs()).toMatchObject([
        { name: 'broken', state: 'failed', error_code: 'MILLRACE_MESSAGE_TYPE_UNKNOWN' },
        { name: 'sound', state: 'started' },
      ]);
      const shown = await fixture.service.show(broken, operator, { nextTimes: 0, runs: 1, showsData: false });
      expect(shown).toMatchObject({ state: 'failing', failure: { code: 'MILLRACE_MESSAGE_TYPE_UNKNOWN' } });
      const gauges = new ScheduleGauges(fixture.database, process.metrics);
      await gauges.read();
      expect((await process.metrics.render()).body).toMatch(/millrace_schedules\{state="failing"\} 1/);
      await fixture.database.execute(
        `update millrace.schedules set definition = replace(definition, 'report.gone', 'report.asked')`,
      );
      await fixture.service.run(broken, 'it is repaired', operator);
      await fixture.work(process);
      await gauges.read();
      expect((await process.metrics.render()).body).toMatch(/millrace_schedules\{state="failing"\} 0/);
    });

    it('are checked as messages are, and for times that come', async () => {
      const message = { ...fixture.request().message, type: 'report.unknown' };
      expect(await rejection(fixture.create({ message }))).toBe('MILLRACE_MESSAGE_TYPE_UNKNOWN');
      const badData = { ...fixture.request().message, data: { region: 7 } };
      expect(await rejection(fixture.create({ message: badData }))).toBe('MILLRACE_MESSAGE_INVALID');
      expect(await rejection(fixture.create({ cron: '0 0 30 2 *' }))).toBe('MILLRACE_REQUEST_INVALID');
      const over = { cron: '0 6 * * *', endAt: '2026-01-01T00:00:00Z' };
      expect(await rejection(fixture.create(over))).toBe('MILLRACE_REQUEST_INVALID');
      const data = { region: 'x'.repeat(300_000) };
      const large = { ...fixture.request().message, data };
      expect(await rejection(fixture.create({ message: large }))).toBe('MILLRACE_REQUEST_INVALID');
      expect((await fixture.service.list(operator, { limit: 10 })).schedules).toEqual([]);
    });

    it('carry data that is odd in a database', async () => {
      const data = { region: 'nul \u0000, half \ud83d, \u2028 and "quotes"' };
      await minutely(0, { message: { ...fixture.request().message, data } });
      await fixture.work(fixture.process());
      const { rows } = await fixture.database.query<{ body: string }>({
        name: 'test.body',
        text: 'select body from millrace.messages',
      });
      expect(rows.map(({ body }) => JSON.parse(body) as unknown)).toEqual([data]);
    });

    it('are made once, are replaced as a whole, and keep their times where those stay the same', async () => {
      const id = await minutely(5);
      const again = await fixture.service.create(
        fixture.request({ name: 'minutely', cron: '* * * * *' }),
        operator,
      );
      expect(again).toMatchObject({ isNew: false, schedule: { id } });
      expect(await rejection(fixture.create({ name: 'minutely', cron: '5 * * * *' }))).toBe(
        'MILLRACE_SCHEDULE_EXISTS',
      );
      const lane = { ...fixture.request().message, lane: 'bulk' };
      const same = fixture.request({ name: 'minutely', cron: '* * * * *', message: lane });
      const replaced = await fixture.service.replace(id, same, operator);
      expect(replaced.nextAt).toBe(minute(5).toISOString());
      const other = fixture.request({ name: 'hourly', cron: '5 * * * *' });
      const changed = await fixture.service.replace('minutely', other, operator);
      expect(Date.parse(changed.nextAt ?? '')).toBeGreaterThan(Date.now());
      expect(changed).toMatchObject({ id, name: 'hourly' });
      expect(
        await rejection(
          fixture.service.show('minutely', operator, { nextTimes: 0, runs: 0, showsData: false }),
        ),
      ).toBe('MILLRACE_NOT_FOUND');
    });

    it('are not there for other teams, whatever these do', async () => {
      const id = await fixture.create();
      const other = { actor: 'eve', team: 'green' };
      const view = { nextTimes: 1, runs: 1, showsData: true };
      for (const reference of [id, 'daily']) {
        const asked = [
          fixture.service.show(reference, other, view),
          fixture.service.replace(reference, fixture.request(), other),
          fixture.service.pause(reference, 'r', other),
          fixture.service.resume(reference, 'r', other),
          fixture.service.run(reference, 'r', other),
          fixture.service.delete(reference, 'r', other),
        ];
        expect(await Promise.all(asked.map((work) => rejection(work)))).toEqual(
          asked.map(() => 'MILLRACE_NOT_FOUND'),
        );
      }
      expect((await fixture.service.list(other, { limit: 10 })).schedules).toEqual([]);
      expect(await rejection(fixture.service.create(fixture.request(), other))).toBe('MILLRACE_FORBIDDEN');
      expect((await fixture.service.list({ ...other, team: 'blue' }, { limit: 10 })).schedules).toHaveLength(
        1,
      );
    });

    it('are listed a page at a time, and their changes stand in the audit', async () => {
      for (const name of ['a', 'b', 'c']) await fixture.create({ name });
      const first = await fixture.service.list(operator, { limit: 2 });
      expect(first.schedules.map(({ name }) => name)).toEqual(['a', 'b']);
      expect(first.next).toBe('b/blue');
      const rest = await fixture.service.list(operator, { limit: 2, after: { team: 'blue', name: 'b' } });
      expect(rest.schedules.map(({ name }) => name)).toEqual(['c']);
      expect(rest.next).toBeUndefined();
      await fixture.service.delete('a', 'not wanted', operator);
      const { rows } = await fixture.database.query<{ action: string; reason: string; team: string }>({
        name: 'test.audit',
        text: 'select action, reason, team from millrace.operator_actions order by at, id',
      });
      expect(rows).toHaveLength(4);
      expect(rows.at(-1)).toEqual({ action: 'schedules.delete', reason: 'not wanted', team: 'blue' });
    });

    it('are no more than a team, and than all, may have', async () => {
      Object.assign(fixture.bounds, { max: 3, maxPerTeam: 2 });
      const of = (team: string) => ({
        message: { ...fixture.request().message, origin: { team, customer: 'c', feature: 'f' } },
      });
      await fixture.create({ name: 'a', ...of('blue') });
      await fixture.create({ name: 'b', ...of('blue') });
      expect(await rejection(fixture.create({ name: 'c', ...of('blue') }))).toBe('MILLRACE_SCHEDULE_LIMIT');
      await fixture.create({ name: 'c', ...of('green') });
      expect(await rejection(fixture.create({ name: 'd', ...of('green') }))).toBe('MILLRACE_SCHEDULE_LIMIT');
    });

    it('of a configuration are as it says, beside those of operators', async () => {
      const configuration = (names: Readonly<Record<string, string>>) =>
        scheduleSettings.parse({
          configured: Object.entries(names).map(([name, cron]) => {
            const { message } = fixture.request();
            return { name, cron, message };
          }),
        }).configured ?? [];
      const all = async () =>
        Object.fromEntries(
          (await fixture.service.list(operator, { limit: 10 })).schedules.map((one) => [
            one.name,
            `${one.source} ${one.cron ?? ''} ${one.state}`,
          ]),
        );
      await fixture.create({ name: 'own', cron: '1 * * * *' });
      const first = { own: '9 * * * *', kept: '2 * * * *', changed: '3 * * * *', gone: '4 * * * *' };
      await applySchedules(fixture.store, configuration(first), silentLogger);
      await fixture.service.pause('kept', 'for a while', operator);
      await applySchedules(
        fixture.store,
        configuration({ kept: '2 * * * *', changed: '5 * * * *' }),
        silentLogger,
      );
      expect(await all()).toEqual({
        own: 'operator 1 * * * * active',
        kept: 'configuration 2 * * * * paused',
        changed: 'configuration 5 * * * * active',
      });
      expect(await rejection(fixture.service.delete('kept', 'r', operator))).toBe(
        'MILLRACE_SCHEDULE_CONFIGURED',
      );
      const other = fixture.request({ name: 'kept' });
      expect(await rejection(fixture.service.replace('kept', other, operator))).toBe(
        'MILLRACE_SCHEDULE_CONFIGURED',
      );
    });

    it('of two processes are each run once, wherever one of them dies', async () => {
      let deaths = 0;
      const died = (error: unknown): void => {
        if (!(error instanceof Died)) throw error;
        deaths += 1;
      };
      for (let dieAt = 0; dieAt < 12; dieAt += 2) {
        fixture = await ScheduleFixture.begin(fixture.database);
        await minutely(4, { name: 'all', missed: 'all' });
        await minutely(4, { name: 'alone', missed: 'all', overlap: 'skip' });
        await minutely(4, { name: 'last', missed: 'once' });
        const mortal = fixture.process(mortalDatabase(fixture.database, new Mortality(dieAt)));
        const beside = fixture.process();
        await Promise.all([fixture.work(mortal).catch(died), fixture.work(beside)]);
        await fixture.work(fixture.process());
        const runs = await fixture.runs();
        expect(runs.filter(({ state }) => state === 'due')).toEqual([]);
        const started = runs.filter(({ state }) => state === 'started');
        expect(started.filter(({ name }) => name === 'all')).toHaveLength(5);
        expect(started.filter(({ name }) => name !== 'all')).toHaveLength(2);
        const messages = await fixture.messages();
        expect(messages.map(({ id }) => id).toSorted()).toEqual(
          started.flatMap(({ message_ids }) => message_ids ?? []).toSorted(),
        );
      }
      expect(deaths).toBeGreaterThan(2);
    });
  });
}
