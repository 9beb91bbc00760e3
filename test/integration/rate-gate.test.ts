import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { GateEnd, GateQuestion } from '../../src/engine/calls/call-gate.ts';
import { type RateLimit, RateLimitStore } from '../../src/capabilities/limits/model-limits.ts';
import { LimitBook } from '../../src/capabilities/limits/limit-book.ts';
import { composeRateGate } from '../../src/capabilities/limits/compose-rate-gate.ts';
import type { RateGate } from '../../src/capabilities/limits/rate-gate.ts';
import { migrate } from '../../src/drivers/sql-database/migrator.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { PgliteSqlDatabase } from '../../src/drivers/sql-database/sql-database.pglite.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { Parked } from '../../src/engine/parked.ts';
import { metricCatalogue } from '../../src/host/metric-catalogue.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';

const perMinute = 60_000;
const limits: Record<string, RateLimit> = {
  'openai/gpt-5-mini': { tokensPerMinute: perMinute },
  'anthropic/*': { requestsPerMinute: 60 },
};

function question(parts: Partial<GateQuestion> = {}): GateQuestion {
  return {
    provider: 'openai',
    model: 'gpt-5-mini',
    operation: 'chat',
    stage: 'summarise',
    origin: { team: 'search', customer: 'c1', feature: 'f1' },
    step: 'summary',
    attempt: 1,
    maxInputTokens: 400,
    maxOutputTokens: 200,
    signal: new AbortController().signal,
    ...parts,
  };
}

function sent(parts: Partial<Extract<GateEnd, { kind: 'sent' }>> = {}): GateEnd {
  return {
    kind: 'sent',
    failure: undefined,
    retryAfterMs: undefined,
    headers: undefined,
    tokens: 300,
    durationMs: 10,
    ...parts,
  };
}

describe('RateGate', () => {
  let database: SqlDatabase;
  const opened: RateGate[] = [];

  beforeAll(async () => {
    database = await PgliteSqlDatabase.open();
    await migrate(database);
  });
  beforeEach(() => database.execute('truncate millrace.model_limits'));
  afterAll(async () => {
    for (const gate of opened) await gate.close();
    await database.close();
  });

  /** The gate of one process. */
  function newGate({ slots = 16, random = () => 0 } = {}) {
    const waits: number[] = [];
    const slept: number[] = [];
    const metrics = createMetrics(metricCatalogue);
    const book = new LimitBook(limits);
    const gate = composeRateGate({
      limits: book,
      store: new RateLimitStore({ database, clock: systemClock }),
      maxCooldownMs: 40_000,
      clock: {
        ...systemClock,
        sleep: (delayMs, signal) => {
          slept.push(delayMs);
          return systemClock.sleep(delayMs, signal);
        },
      },
      random,
      logger: silentLogger,
      metrics,
      slotsOf: (stage) => (stage === '' ? undefined : slots),
      onWait: (_stage, waitedMs) => waits.push(waitedMs),
    });
    opened.push(gate);
    return { gate, waits, slept, metrics, book };
  }

  /** The level that the next statement finds, however long it takes until then: nothing refills before `updated_at`. */
  async function setLevel(tokens: number): Promise<void> {
    await database.execute(
      `update millrace.model_limits set tokens_level = ${tokens}, updated_at = clock_timestamp() + interval '1 hour'`,
    );
  }

  async function readLevel(): Promise<number> {
    const { rows } = await database.query<{ level: number }>({
      name: 'test.level',
      text: `select tokens_level as level from millrace.model_limits where model = 'gpt-5-mini'`,
    });
    return rows[0]?.level ?? NaN;
  }

  async function parkOf(entering: Promise<unknown>): Promise<Parked> {
    const error = await entering.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error instanceof Parked) return error;
    throw new Error('the request was not put aside', { cause: error });
  }

  it('takes the estimate and settles it to what was used', async () => {
    const { gate } = newGate();
    const pass = await gate.enter(question({ estimateTokens: () => 120 }));
    expect(await readLevel()).toBe(perMinute - 320);
    await setLevel(10_000);
    pass.end(sent({ tokens: 150 }));
    await gate.close();
    expect(await readLevel()).toBe(10_170);
  });

  it('expects of the next request what the last ones used', async () => {
    const { gate } = newGate();
    const first = await gate.enter(question({ estimateTokens: () => 100 }));
    first.end(sent({ tokens: 130 }));
    await gate.close();
    await setLevel(perMinute);
    await gate.enter(question({ estimateTokens: () => 100 }));
    expect(await readLevel()).toBe(perMinute - 130);
  });

  it('gives back what was not sent', async () => {
    const { gate } = newGate();
    const pass = await gate.enter(question());
    await setLevel(10_000);
    pass.end({ kind: 'not_sent' });
    await gate.close();
    expect(await readLevel()).toBe(10_300);
  });

  it('waits in its place when its turn comes soon', async () => {
    const { gate, waits, metrics } = newGate();
    (await gate.enter(question())).end({ kind: 'not_sent' });
    await gate.close();
    // The margin of 1,200 and the request's 300, less 1,200: 300 tokens refill in 300 ms.
    await setLevel(1200);
    const other = newGate();
    await other.gate.enter(question());
    expect(other.slept).toEqual([300]);
    await setLevel(1200);
    await gate.enter(question({ step: 'other' }));
    expect(waits.at(-1)).toBeCloseTo(300);
    expect((await metrics.render()).body).toContain(
      'millrace_llm_limit_per_minute{provider="openai",model="gpt-5-mini",kind="tokens"} 60000',
    );
  });

  it('is put aside when its turn comes late, each at a time of its own', async () => {
    const { gate } = newGate();
    await gate.enter(question());
    await setLevel(-20_000);
    const parks = await Promise.all(Array.from({ length: 5 }, () => parkOf(gate.enter(question()))));
    const delays = parks.map(({ delayMs }) => delayMs ?? 0).toSorted((left, right) => left - right);
    expect(parks.every(({ reason }) => reason === 'rate_limit')).toBe(true);
    expect(delays[0]).toBeGreaterThan(18_000);
    // 300 tokens each refill in 300 ms.
    expect((delays[4] ?? 0) - (delays[0] ?? 0)).toBeGreaterThanOrEqual(1190);
  });

  it('never holds more than half of the slots of a stage', async () => {
    const { gate } = newGate({ slots: 4 });
    await gate.enter(question());
    await setLevel(0);
    const entering = Array.from({ length: 4 }, () => gate.enter(question()));
    const outcomes = await Promise.allSettled(entering);
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(2);
  });

  it('gives back what it took ahead of time when the work is stopped meanwhile', async () => {
    const { gate } = newGate();
    await gate.enter(question());
    await setLevel(0);
    const stopped = new AbortController();
    const entering = gate.enter(question({ signal: stopped.signal }));
    await expect.poll(readLevel).toBeLessThan(-200);
    stopped.abort(new Error('the lease has expired'));
    await expect(entering).rejects.toThrow('the lease has expired');
    await gate.close();
    expect(await readLevel()).toBeGreaterThanOrEqual(0);
  });

  it('begins a cool-down of the model in every process when the provider refuses', async () => {
    const [here, there] = [newGate().gate, newGate().gate];
    const pass = await here.enter(question());
    await there.enter(question());
    pass.end(sent({ failure: 'rate_limited', retryAfterMs: 20_000, tokens: undefined }));
    // Of the 20 s, less what the machine took meanwhile.
    expect((await parkOf(here.enter(question()))).delayMs).toBeGreaterThan(10_000);
    await here.close();
    expect((await parkOf(there.enter(question()))).delayMs).toBeGreaterThan(10_000);
    expect(await readLevel()).toBeGreaterThan(perMinute - 400);
  });

  it('has no cool-down beyond the cap by what one refusal asks for', async () => {
    const [here, there] = [newGate().gate, newGate().gate];
    const free = question({ model: 'gpt-4o' });
    for (const asked of [question(), free]) {
      const pass = await here.enter(asked);
      pass.end(sent({ failure: 'rate_limited', retryAfterMs: 86_400_000, tokens: undefined }));
    }
    await here.close();
    const { rows } = await database.query<{ seconds: number }>({
      name: 'test.cooldown',
      text: `select extract(epoch from cooldown_until - clock_timestamp())::float as seconds
             from millrace.model_limits where model = 'gpt-5-mini'`,
    });
    expect(rows[0]?.seconds).toBeGreaterThan(20);
    expect(rows[0]?.seconds).toBeLessThanOrEqual(40);
    for (const [gate, asked] of [
      [here, question()],
      [there, question()],
      [here, free],
    ] as const) {
      // Those put aside come back within a fifth more, so that they do not all come at once.
      expect((await parkOf(gate.enter(asked))).delayMs).toBeLessThanOrEqual(48_000);
    }
  });

  it('begins a cool-down of a model without a limit in its own process, and of that model only', async () => {
    const { gate } = newGate();
    const free = question({ model: 'gpt-4o' });
    const pass = await gate.enter(free);
    pass.end(sent({ failure: 'rate_limited', retryAfterMs: 30_000, tokens: undefined }));
    expect((await parkOf(gate.enter(free))).delayMs).toBeGreaterThan(15_000);
    await gate.enter(question({ model: 'gpt-4.1' }));
    await gate.enter(question());
  });

  it('waits out a short refusal in its place', async () => {
    const { gate } = newGate();
    const free = question({ model: 'gpt-4o' });
    const pass = await gate.enter(free);
    // Before the refusal is told of: the wait is counted from then on, however late this process is given the processor.
    const startedMs = performance.now();
    pass.end(sent({ failure: 'rate_limited', retryAfterMs: 150, tokens: undefined }));
    await gate.enter(free);
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(149);
  });

  it('gives each model of a provider a limit of its own by "provider/*"', async () => {
    const { gate } = newGate();
    const haiku = question({ provider: 'anthropic', model: 'claude-haiku-4-5', stage: '' });
    await Promise.all(Array.from({ length: 55 }, () => gate.enter(haiku)));
    const park = await parkOf(Promise.all(Array.from({ length: 20 }, () => gate.enter(haiku))));
    expect(park.message).toContain('anthropic/claude-haiku-4-5 is at its limit');
    await expect(gate.enter({ ...haiku, model: 'claude-sonnet-4-5' })).resolves.toBeDefined();
  });

  it('keeps the estimate of a request of which nobody knows what it used', async () => {
    const { gate } = newGate();
    const pass = await gate.enter(question());
    await setLevel(10_000);
    pass.end(sent({ failure: 'timeout', tokens: undefined }));
    await gate.close();
    expect(await readLevel()).toBe(10_000);
  });

  it('keeps a limit that changes while requests are put aside for the old one', async () => {
    const { gate, book } = newGate();
    await gate.enter(question());
    await setLevel(-perMinute);
    await parkOf(gate.enter(question()));
    expect(book.replace({ 'openai/gpt-5-mini': { tokensPerMinute: 1_000_000_000 } })).toBe(true);
    // What was known of the old limit would put it aside without asking; a minute of the new one fills the bucket in no time.
    await database.execute(
      `update millrace.model_limits set updated_at = clock_timestamp() - interval '10 seconds'`,
    );
    await gate.enter(question());
    book.replace({ 'openai/gpt-5-mini': { tokensPerMinute: 1 } });
    // A request that is larger than the whole bucket goes when that is full, as it is now.
    await gate.enter(question());
    await parkOf(gate.enter(question()));
  });

  it('begins to limit a model that had no limit, and stops again', async () => {
    const { gate, book } = newGate();
    const other = question({ model: 'gpt-5-nano' });
    await gate.enter(other);
    book.replace({ 'openai/*': { requestsPerMinute: 1 } });
    await gate.enter(other);
    await parkOf(gate.enter(other));
    expect(book.replace({})).toBe(true);
    await gate.enter(other);
  });
});
