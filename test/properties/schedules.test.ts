import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PostgresSqlDatabase } from '../../src/drivers/sql-database/sql-database.postgres.ts';
import { Died, Mortality, mortalDatabase } from '../support/mortal.ts';
import { canRun, postgresPrograms } from '../support/required-programs.ts';
import { ScheduleFixture, scheduleOperator } from '../support/schedule-fixture.ts';
import { newLedger } from '../support/shared-postgres.ts';

const schedules = 1000;
const minuteMs = 60_000;
const secondMs = 1000;

/** Numbers from 0 to 1 that are the same every time (a linear congruential generator). */
function drawsOf(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31;
}

describe.skipIf(!canRun(postgresPrograms()))(
  'a thousand schedules on two hosts',
  { timeout: 300_000 },
  () => {
    let database: PostgresSqlDatabase;
    beforeAll(async () => {
      database = await PostgresSqlDatabase.open({
        connectionString: await newLedger(),
        poolSize: 8,
        statementTimeoutMs: 60_000,
        applicationName: 'schedules',
      });
    });
    afterAll(() => database.close());

    it('run at each of their times once and at none too early, however often hosts are killed', async () => {
      const fixture = await ScheduleFixture.begin(database);
      const draw = drawsOf(7);
      const lines = Array.from({ length: schedules }, (_, n) => ({ n, every: [20, 30, 60][n % 3] ?? 60 }));
      await Promise.all(
        lines.map(({ n, every }) =>
          fixture.service.create(
            fixture.request({ name: `s${n}`, cron: undefined, every: `${every}s`, missed: 'all' }),
            scheduleOperator,
          ),
        ),
      );
      // Two minutes in which nobody was there, and some seconds that are still to come.
      const begin = Math.floor(Date.now() / secondMs) * secondMs - 2 * minuteMs;
      await database.query(
        {
          name: 'test.set_back',
          text: `update millrace.schedules set from_at = $1::timestamptz, next_at = $1::timestamptz, due_at = $1::timestamptz`,
        },
        [new Date(begin)],
      );
      const end = begin + 2 * minuteMs + 5 * secondMs;
      let kills = 0;
      const host = async (): Promise<void> => {
        while (Date.now() < end + secondMs) {
          const mortality = new Mortality(Math.floor(draw() * 40));
          const { runner } = fixture.process(mortalDatabase(database, mortality));
          try {
            for (;;) await runner.turn();
          } catch (error) {
            if (!(error instanceof Died)) throw error;
            kills += 1;
          }
        }
      };
      await Promise.all([host(), host()]);
      // What the killed ones left for later is due at once.
      await database.execute(
        `update millrace.schedule_runs set try_at = clock_timestamp() where state = 'due'`,
      );
      await fixture.work(fixture.process());
      const { rows } = await database.query<{ name: string; at: Date; created_at: Date }>({
        name: 'test.firings',
        text: `select s.name, m.event_id::timestamptz as at, m.created_at from millrace.messages m
        join millrace.schedules s on m.source = '/v1/schedules/' || s.id order by s.name, m.event_id`,
      });
      expect(rows.filter(({ at, created_at: admitted }) => admitted < at)).toEqual([]);
      const ran = Map.groupBy(
        rows.filter(({ at }) => at.getTime() <= end),
        ({ name }) => name,
      );
      for (const { n, every } of lines) {
        const count = Math.floor((end - begin) / (every * secondMs)) + 1;
        const expected = Array.from({ length: count }, (_, step) => begin + step * every * secondMs);
        expect(ran.get(`s${n}`)?.map(({ at }) => at.getTime())).toEqual(expected);
      }
      const runs = (await fixture.runs()).filter(({ at }) => at.getTime() <= end);
      expect(new Set(runs.map(({ state }) => state))).toEqual(new Set(['started']));
      expect(runs).toHaveLength([...ran.values()].flat().length);
      expect(kills).toBeGreaterThan(3);
    });
  },
);
