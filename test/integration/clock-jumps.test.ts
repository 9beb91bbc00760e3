import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Host } from '../../src/host/host.ts';
import { parseCostParameters } from '../../src/capabilities/costs/cost-parameters.ts';
import { CostReports } from '../../src/capabilities/costs/cost-reports.ts';
import { usd, formatUsd, sumUsd } from '../../src/kernel/money.ts';
import { ScriptedModel } from '../../src/testing/scripted-model.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { canRun, postgresPrograms, redisPrograms } from '../support/required-programs.ts';
import { SettableClock } from '../support/settable-clock.ts';
import { SeveralHosts } from '../support/several-hosts.ts';
import { counted } from '../support/counted.ts';
import { TicketOpened, ticketStage } from '../support/ticket-stage.ts';

const stage = ticketStage(2);
const origin = { team: 'blue', customer: 'acme', feature: 'triage' };
const hourMs = 3_600_000;
const perPart = 5;

/** What an observer of the ledger and of ClickHouse reads of one call. */
interface CallTimes {
  readonly id: string;
  readonly at: string;
}

describe.skipIf(![postgresPrograms(), redisPrograms()].every((program) => canRun(program)))(
  'a clock that is set while a host runs',
  () => {
    let hosts: SeveralHosts;
    beforeAll(async () => {
      hosts = await SeveralHosts.begin();
    });
    afterEach(() => hosts.stopHosts());
    afterAll(() => hosts.end());

    async function start(name: string, clock: SettableClock) {
      const { logger, lines } = recordingLogger();
      const model = new ScriptedModel(
        () => ({ text: 'Answered.', usage: { uncachedInput: 10, textOutput: 100 } }),
        'gpt-5-mini',
      );
      const host = await hosts.start(await hosts.newLedger(name), {
        stages: [stage],
        modelProviders: { openai: { kind: 'custom', model: () => model } },
        config: { budgets: [{ name, team: 'blue', window: 'hour', limitUsd: '1' }] },
        clock: clock.clock,
        logger,
      });
      return { host, lines };
    }

    /** Admits some messages and waits until all that were admitted so far are done. */
    async function work(host: Host, customer: string, soFar: number): Promise<void> {
      for (let n = 0; n < perPart; n += 1) {
        await host.admissions.admit(
          TicketOpened.v1,
          { subject: `${soFar + n}` },
          { origin: { ...origin, customer } },
        );
      }
      const completed = () => counted(host.stores.database, 'completed');
      await expect.poll(completed, { timeout: 30_000, interval: 20 }).toBe(soFar + perPart);
    }

    const metric = async (host: Host, series: string): Promise<number> => {
      const { body } = await host.metrics.render();
      const line = body.split('\n').find((one) => one.startsWith(`${series} `));
      return Number(line?.slice(series.length + 1) ?? Number.NaN);
    };

    it.each([
      ['forward', hourMs],
      ['back', -hourMs],
    ])('by an hour %s: calls, budgets and reports agree, and it says so', async (direction, byMs) => {
      const clock = new SettableClock(0);
      const { host, lines } = await start(`blue_${direction}`, clock);
      const { database, columns } = host.stores;
      await work(host, direction, 0);
      // Without a look in between: the first messages after a jump come before anything can have noticed it.
      clock.setBy(byMs);
      await work(host, direction, perPart);
      await expect
        .poll(() => lines.filter(({ level }) => level === 'warn').map(({ message }) => message))
        .toEqual([
          "this machine's clock jumped",
          "this machine's clock is off; what is spent and reported goes by the ledger's",
        ]);
      expect(await metric(host, 'millrace_clock_offset_seconds')).toBeCloseTo(-byMs / 1000, 0);
      expect(await metric(host, 'millrace_clock_jumps_total{clock="process"}')).toBe(1);
      expect(await metric(host, 'millrace_clock_jumps_total{clock="ledger"}')).toBe(0);
      await expect(host.clock.check()).rejects.toMatchObject({ code: 'MILLRACE_CLOCK_OFF' });
      await work(host, direction, 2 * perPart);

      await host.exporter.drain();
      const calls = (
        await database.query<CallTimes>({
          name: 'test.call_times',
          text: `select id, to_char(date_trunc('milliseconds', reserved_at) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS') as at
            from millrace.calls order by id`,
        })
      ).rows;
      const ids = calls.map(({ id }) => id);
      const records = await columns.query<CallTimes>(
        `SELECT toString(call_id) AS id, toString(ts, 'UTC') AS at FROM millrace_test.usage
         WHERE toString(call_id) IN {ids:Array(String)} ORDER BY id`,
        { ids },
      );
      expect(calls).toHaveLength(3 * perPart);
      expect(records).toEqual(calls);

      // Each window of the budget has what ClickHouse has in its hour.
      const windows = (
        await database.query<{ hour: string; usd: string }>({
          name: 'test.windows',
          text: `select to_char(window_start at time zone 'UTC', 'YYYY-MM-DD HH24') as hour, spent::text as usd
            from millrace.quota_windows where spent > 0 order by window_start`,
        })
      ).rows;
      const booked = await columns.query<{ hour: string; usd: string }>(
        `SELECT substring(toString(ts, 'UTC'), 1, 13) AS hour, toString(sum(cost_usd)) AS usd FROM millrace_test.usage
         WHERE toString(call_id) IN {ids:Array(String)} GROUP BY hour ORDER BY hour`,
        { ids },
      );
      const exact = (rows: readonly { hour: string; usd: string }[]) =>
        rows.map((row) => ({ hour: row.hour, usd: formatUsd(usd(row.usd)) }));
      expect(exact(windows)).toEqual(exact(booked));

      // A report that ends "now" has every call that the ledger has, and no more.
      const since = new Date(Date.now() - 60_000).toISOString();
      const report = await new CostReports({ store: columns }).report(
        parseCostParameters(
          { customer: direction, from: since, group_by: 'customer' },
          host.clock.time.now(),
        ),
        {},
      );
      expect(report.totals.calls).toBe(3 * perPart);
      expect(usd(report.totals.costUsd)).toEqual(sumUsd(windows.map((window) => usd(window.usd))));

      clock.setBy(0);
      await expect
        .poll(() =>
          lines.some(({ message }) => message === "this machine's clock agrees with the ledger's again"),
        )
        .toBe(true);
      await expect(host.clock.check()).resolves.toBeUndefined();
      expect(Math.abs(await metric(host, 'millrace_clock_offset_seconds'))).toBeLessThan(1);
    });
  },
);
