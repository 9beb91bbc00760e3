import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CircuitGate } from '../../src/capabilities/limits/circuit-gate.ts';
import type { CallGate, GateEnd, GatePass, GateQuestion } from '../../src/engine/calls/call-gate.ts';
import { ModelHealth, type ModelHealthOptions } from '../../src/capabilities/limits/model-health.ts';
import { ModelHealthStore } from '../../src/capabilities/limits/model-health-store.ts';
import { RetryBudgetGate } from '../../src/capabilities/limits/retry-budget-gate.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { Parked } from '../../src/engine/parked.ts';
import { recordingLogger } from '../support/recording-logger.ts';

const name = { provider: 'openai', model: 'gpt-5-mini' };
const question: GateQuestion = {
  ...name,
  operation: 'chat',
  stage: 'summarise',
  origin: { team: 'blue', customer: 'acme', feature: 'search' },
  step: 'summary',
  attempt: 1,
  maxInputTokens: 10,
  maxOutputTokens: 20,
  signal: new AbortController().signal,
};
const circuitSettings = {
  errorShare: 0.5,
  minRequests: 20,
  windowMs: 30_000,
  openMs: 60,
  maxOpenMs: 240,
  probes: 3,
};
const retryBudget = { share: 0.2, floor: 10, windowMs: 60_000 };

function sent(failure?: string): GateEnd {
  return { kind: 'sent', failure, retryAfterMs: undefined, headers: undefined, tokens: 30, durationMs: 5 };
}

const patience = { timeout: 30_000, interval: 20 };

/** What two processes do to one ledger. */
export function modelHealthContract(engine: string, open: () => Promise<SqlDatabase>): void {
  describe(`the health of models on ${engine}`, () => {
    let database: SqlDatabase;
    const closing: ModelHealth[] = [];
    beforeEach(async () => {
      database = await open();
      await database.execute('truncate millrace.model_health, millrace.model_windows');
    });
    afterEach(async () => {
      for (const health of closing.splice(0)) await health.close();
    });

    const process = (parts: Partial<ModelHealthOptions> = {}) => {
      const { logger, lines } = recordingLogger();
      const health = new ModelHealth({
        store: new ModelHealthStore(database),
        clock: systemClock,
        logger,
        circuit: circuitSettings,
        retryBudget,
        ...parts,
      });
      closing.push(health);
      const random = (): number => 0;
      const circuit = new CircuitGate({ health, random });
      const retries = new RetryBudgetGate({ health, settings: retryBudget, random });
      const state = (): string | undefined => health.watch(name.provider, name.model)?.circuit.state;
      return { health, circuit, retries, lines, state };
    };
    type Process = ReturnType<typeof process>;

    const ask = async ({ circuit }: Process, end: GateEnd, times: number): Promise<void> => {
      for (let n = 0; n < times; n += 1) (await circuit.enter(question))?.end(end);
    };
    const untilState = (one: Process, wanted: string): Promise<void> =>
      vi.waitFor(async () => {
        await one.health.turn();
        expect(one.state()).toBe(wanted);
      }, patience);
    const attempts = async (
      gate: CallGate,
      times: number,
      asked = question,
    ): Promise<(GatePass | Parked)[]> =>
      Promise.all(
        Array.from({ length: times }, async () => {
          try {
            return (await gate.enter(asked)) ?? { end: () => undefined };
          } catch (error) {
            if (error instanceof Parked) return error;
            throw error;
          }
        }),
      );
    const passesOf = (entered: readonly (GatePass | Parked)[]): GatePass[] =>
      entered.filter((one): one is GatePass => !(one instanceof Parked));

    it('opens on what two processes counted together; one says so, the other learns it', async () => {
      const slow = { circuit: { ...circuitSettings, openMs: 60_000, maxOpenMs: 60_000 } };
      const [a, b] = [process(slow), process(slow)];
      await ask(a, sent('server_error'), 10);
      await ask(b, sent(), 2);
      await ask(b, sent('timeout'), 8);
      await a.health.turn();
      expect(a.state()).toBe('closed');
      await b.health.turn();
      expect(b.state()).toBe('open');
      await a.health.turn();
      expect(a.state()).toBe('open');
      const said = [...a.lines, ...b.lines].filter(({ level }) => level === 'warn');
      expect(said).toHaveLength(1);
      expect(said[0]?.fields).toMatchObject({
        ...name,
        reason: '10 failures and 8 time-outs of 20 requests',
      });
      const refused = await a.circuit.enter(question).catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: 'MILLRACE_WORK_PARKED', reason: 'circuit' });
      expect(await new ModelHealthStore(database).troubled()).toMatchObject([
        { ...name, state: 'open', opens: 1 },
      ]);
    });

    it('asks for a look at once when its own count is enough', async () => {
      const one = process();
      const onUrgent = vi.fn<() => void>();
      one.health.onUrgent = onUrgent;
      await ask(one, sent('overloaded'), 19);
      expect(onUrgent).not.toHaveBeenCalled();
      await ask(one, sent('overloaded'), 5);
      expect(onUrgent).toHaveBeenCalledTimes(1);
    });

    it('does not mind refusals that are not the provider’s sickness', async () => {
      const one = process();
      for (const kind of ['rate_limited', 'bad_request', 'content_policy', 'aborted', 'authentication']) {
        await ask(one, sent(kind), 20);
      }
      await one.health.turn();
      await one.health.turn();
      expect(one.state()).toBe('closed');
    });

    it('lets exactly as many probes out as are needed, over both processes, and closes when they succeed', async () => {
      const [a, b] = [process(), process()];
      await ask(a, sent('server_error'), 20);
      await a.health.turn();
      await untilState(a, 'half_open');
      await untilState(b, 'half_open');
      const entered = (await Promise.all([attempts(a.circuit, 10), attempts(b.circuit, 10)])).flat();
      const probes = passesOf(entered);
      expect(probes).toHaveLength(3);
      for (const probe of probes) probe.end(sent());
      await untilState(a, 'closed');
      await untilState(b, 'closed');
      // What led to the opening is forgotten: it takes as much again.
      await ask(a, sent('server_error'), 19);
      await a.health.turn();
      await b.health.turn();
      expect(a.state()).toBe('closed');
      await ask(b, sent('server_error'), 1);
      await b.health.turn();
      expect(b.state()).toBe('open');
    });

    it('opens again when a probe fails, for longer, and parks the message of the probe', async () => {
      const one = process();
      await ask(one, sent('server_error'), 20);
      await one.health.turn();
      await untilState(one, 'half_open');
      const [probe] = passesOf(await attempts(one.circuit, 1));
      probe?.end(sent('server_error'));
      expect(probe?.parkedBy?.('server_error')).toMatchObject({ reason: 'circuit' });
      expect(probe?.parkedBy?.('bad_request')).toBeUndefined();
      await expect.poll(() => one.state()).toBe('open');
      const { rows } = await database.query<{ ms: number; opens: number }>({
        name: 'test.open_time',
        text: `select round(extract(epoch from open_until - opened_at) * 1000)::int as ms, opens from millrace.model_health`,
      });
      expect(rows).toEqual([{ ms: 120, opens: 2 }]);
    });

    it('gives the place of a probe that was not sent, or said nothing, to another', async () => {
      const one = process();
      await ask(one, sent('server_error'), 20);
      await one.health.turn();
      await untilState(one, 'half_open');
      const [first, second, third] = passesOf(await attempts(one.circuit, 3));
      first?.end({ kind: 'not_sent' });
      second?.end(sent('aborted'));
      const more: GatePass[] = [];
      await vi.waitFor(async () => {
        more.push(...passesOf(await attempts(one.circuit, 5)));
        expect(more).toHaveLength(2);
      }, patience);
      expect(passesOf(await attempts(one.circuit, 5))).toHaveLength(0);
      expect(third).toBeDefined();
    });

    it('is closed by an operator who deletes what is known of it', async () => {
      const slow = { circuit: { ...circuitSettings, openMs: 60_000, maxOpenMs: 60_000 } };
      const [a, b] = [process(slow), process(slow)];
      await ask(a, sent('server_error'), 20);
      await a.health.turn();
      await b.health.turn();
      expect([a.state(), b.state()]).toEqual(['open', 'open']);
      await database.execute('delete from millrace.model_windows; delete from millrace.model_health');
      await a.health.turn();
      await b.health.turn();
      expect([a.state(), b.state()]).toEqual(['closed', 'closed']);
    });

    it('cannot be turned by somebody who judged what is no longer so', async () => {
      const [a, b] = [process(), process()];
      await ask(a, sent('server_error'), 20);
      await a.health.turn();
      await untilState(a, 'half_open');
      for (const probe of passesOf(await attempts(a.circuit, 3))) probe.end(sent());
      await expect.poll(() => a.state()).toBe('closed');
      const stale = { kind: 'counted', counts: { successes: 0, failures: 20, timeouts: 0 } } as const;
      const watched = b.health.watch(name.provider, name.model);
      if (watched === undefined) throw new Error('it is watched');
      expect(await b.health.change(watched, stale, { version: 0 })).toBe(false);
      await a.health.turn();
      expect(a.state()).toBe('closed');
    });

    it('permits retries up to floor and share of all first attempts, never one more', async () => {
      const [a, b] = [process(), process()];
      for (const pass of passesOf(await attempts(a.retries, 60))) pass.end(sent());
      for (const pass of passesOf(await attempts(b.retries, 40))) pass.end(sent('server_error'));
      const retry = { ...question, attempt: 2 };
      // Nothing was told yet: only the floor counts.
      expect(passesOf(await attempts(a.retries, 30, retry))).toHaveLength(10);
      await a.health.turn();
      await b.health.turn();
      const entered = (
        await Promise.all([attempts(a.retries, 50, retry), attempts(b.retries, 50, retry)])
      ).flat();
      expect(passesOf(entered)).toHaveLength(20);
      const refused = entered.find((one) => one instanceof Parked);
      expect(refused).toMatchObject({ reason: 'retry_budget', delayMs: 10_000 });
    });

    it('gives a retry that was not sent back to the budget', async () => {
      const one = process();
      const retry = { ...question, attempt: 2 };
      const passes = passesOf(await attempts(one.retries, 10, retry));
      for (const pass of passes.slice(0, 4)) pass.end({ kind: 'not_sent' });
      for (const pass of passes.slice(4)) pass.end(sent());
      expect(passesOf(await attempts(one.retries, 5, retry))).toHaveLength(0);
      await one.health.turn();
      expect(passesOf(await attempts(one.retries, 10, retry))).toHaveLength(4);
    });

    it('does not count first attempts that were not sent, or may not have been', async () => {
      const one = process();
      const passes = passesOf(await attempts(one.retries, 40));
      for (const pass of passes.slice(0, 20)) pass.end({ kind: 'not_sent' });
      for (const pass of passes.slice(20)) pass.end(sent('aborted'));
      await one.health.turn();
      expect(passesOf(await attempts(one.retries, 20, { ...question, attempt: 3 }))).toHaveLength(10);
    });

    it('forgets old windows', async () => {
      const one = process();
      await database.execute(
        `insert into millrace.model_windows select 'openai', 'gpt-5-mini', date_bin('10 seconds', now(), timestamptz 'epoch') - n * interval '10 seconds',
           0, 0, 0, 0, 0 from generate_series(0, 30) as n`,
      );
      await one.health.turn();
      const { rows } = await database.query<{ count: number }>({
        name: 'test.windows',
        text: 'select count(*)::int as count from millrace.model_windows',
      });
      expect(rows[0]?.count).toBeLessThanOrEqual(13);
      expect(rows[0]?.count).toBeGreaterThanOrEqual(12);
    });

    it('goes on by what it knows while the ledger is away, says so once, and tells all when it is back', async () => {
      let isAway = false;
      const store = new ModelHealthStore({
        ...database,
        kind: database.kind,
        query: (statement, parameters) =>
          isAway ? Promise.reject(new Error('away')) : database.query(statement, parameters),
        transaction: (work) => (isAway ? Promise.reject(new Error('away')) : database.transaction(work)),
        execute: (script) => database.execute(script),
        ping: () => database.ping(),
        close: () => database.close(),
      });
      const one = process({ store });
      isAway = true;
      await ask(one, sent('server_error'), 25);
      await expect(one.health.turn()).rejects.toThrow('away');
      await expect(one.health.turn()).rejects.toThrow('away');
      expect(passesOf(await attempts(one.circuit, 1))).toHaveLength(1);
      expect(passesOf(await attempts(one.retries, 3, { ...question, attempt: 2 }))).toHaveLength(0);
      expect(one.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
      isAway = false;
      await one.health.turn();
      expect(one.state()).toBe('open');
    });
  });
}
