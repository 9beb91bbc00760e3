import { generateText } from 'ai';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import type { ConfigurationInput } from '../../src/host/configuration.ts';
import { formatUsd, sumUsd, usd } from '../../src/kernel/money.ts';
import { defineMessage, defineStage, type MessageOf, type StageContext } from '../../src/millrace.ts';
import type { RegisteredStage } from '../../src/engine/pipeline/stage-registry.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { canRun, postgresPrograms, redisPrograms } from '../support/required-programs.ts';
import { depth } from '../support/test-depth.ts';
import { startWorkerHosts, type WorkerHosts } from '../support/worker-hosts.ts';
import { lineOfRecord } from '../../src/engine/export/export-ledger.ts';

/* Two hosts over PostgreSQL and Redis, and a provider (the simulator) whose one model has an outage. */

const sick = 'openai/gpt-5-mini';
const well = 'anthropic/claude-haiku-4-5';

const Asked = defineMessage('question.asked').version(1, z.object({ model: z.string(), text: z.string() }));
const definition = defineStage('ask', {
  consumes: Asked.upTo(1),
  retry: { maxAttempts: 4, backoff: ['1s'], jitter: 0.2 },
  concurrency: 5,
});

async function handle({ data }: MessageOf<typeof definition>, ctx: StageContext): Promise<string> {
  const { text } = await generateText({
    // Answers that end at their limit, while the model still thinks, are good enough here.
    model: ctx.model(data.model, { step: 'answer', accept: ['empty', 'truncated'] }),
    prompt: data.text,
    maxOutputTokens: 100,
    abortSignal: ctx.signal,
  });
  return text;
}

interface CallRow {
  readonly provider: string;
  readonly attempt: number;
  readonly outcome: string;
  readonly cost_usd: string;
  readonly fallback_from: string | null;
  readonly line: string;
}

const canRunHere = [postgresPrograms(), redisPrograms()].every((programs) => canRun(programs));

describe.skipIf(!canRunHere)('an outage of a model', { timeout: 90_000 }, () => {
  let simulator: Simulator;
  let workers: WorkerHosts;
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close();
  });

  const start = async (
    limits: NonNullable<ConfigurationInput['limits']>,
    fallbacks: Readonly<Record<string, string>> = {},
  ): Promise<void> => {
    simulator = await startSimulator({ seed: 3, latency: { medianMs: 15, p99Ms: 40 } });
    closing.push(() => simulator.close());
    const common = { apiKey: 'k', identify: true };
    workers = await startWorkerHosts(2, [{ definition, handler: { handle } } as RegisteredStage], {
      models: {
        providers: {
          openai: { ...common, kind: 'openai', baseUrl: `${simulator.url}/openai/v1` },
          anthropic: { ...common, kind: 'anthropic', baseUrl: `${simulator.url}/anthropic/v1` },
        },
        fallbacks,
      },
      limits,
    });
    closing.push(() => workers.close());
  };
  const strike = (probability: number): void =>
    simulator.setRules([{ fault: 'server_error', probability, match: { model: 'gpt-5-mini' } }]);
  const admit = async (model: string, count: number): Promise<void> => {
    const origin = { team: 'blue', customer: 'acme', feature: 'search' };
    const receipts = workers.hosts.flatMap(({ admissions }, place) =>
      Array.from({ length: count / workers.hosts.length }, (_, n) =>
        admissions.admit(Asked.v1, { model, text: `Question ${place}/${n} to ${model}` }, { origin }),
      ),
    );
    await Promise.all(receipts);
  };
  const read = async <Row>(text: string): Promise<Row[]> =>
    (await workers.database.query<Row>({ name: `test.${text.length}`, text })).rows;
  const completed = async (model: string): Promise<number> =>
    (
      await read<{ n: number }>(
        `select count(*)::int as n from millrace.messages where state = 'completed' and body like '%"${model}"%'`,
      )
    )[0]?.n ?? 0;
  const circuits = () =>
    read<{ provider: string; state: string; opens: number }>('select * from millrace.model_health');
  const wait = (condition: () => Promise<void>): Promise<void> =>
    vi.waitFor(condition, { timeout: 60_000, interval: 50 });

  /** Waits until each host says whether its circuit of the sick model is in a state. */
  const bothHosts = async (state: string, value: 0 | 1): Promise<void> => {
    const series = `millrace_llm_circuit_state{provider="openai",model="gpt-5-mini",state="${state}"} ${value}`;
    for (const host of workers.hosts) {
      await wait(async () => expect((await host.metrics.render()).body).toContain(series));
    }
  };

  it('opens its circuit in both hosts, costs no attempts but those in flight, and ends by probes', async () => {
    await start({
      circuit: { minRequests: 10, openMs: 500, maxOpenMs: 1000 },
      retryBudget: { floor: 100 },
    });
    strike(1);
    await admit(sick, 80);
    await admit(well, 80);
    await wait(async () => expect(await circuits()).toMatchObject([{ provider: 'openai', state: 'open' }]));
    await bothHosts('closed', 0);
    // What was asked before both knew of it: the rest of what is asked are probes.
    const [asked] = await read<{ n: number }>(
      "select count(*)::int as n from millrace.calls where model = 'gpt-5-mini'",
    );
    // The other model's work goes on, and the sick one's circuit is tried in vain more than once.
    await wait(async () => expect(await completed(well)).toBe(80));
    await wait(async () => expect((await circuits())[0]?.opens).toBeGreaterThan(2));
    expect(await completed(sick)).toBe(0);
    strike(0);
    await wait(async () => expect(await completed(sick)).toBe(80));
    expect(await circuits()).toMatchObject([{ provider: 'openai', state: 'closed' }]);

    // Enough to see it, in each host, and what was in flight by then; most messages were spared.
    expect(asked?.n).toBeGreaterThanOrEqual(10);
    expect(asked?.n).toBeLessThan(80);
    const [burnt] = await read<{ failed: number; most: number }>(
      'select sum(attempts)::int as failed, max(attempts) as most from millrace.messages',
    );
    expect(burnt?.most).toBe(1);
    expect(burnt?.failed).toBeLessThanOrEqual(asked?.n ?? 0);
    // Both hosts say once for each turn what happened, together.
    const turns = workers.lines.filter(({ message }) => message.startsWith('the circuit of a model'));
    expect(turns.filter(({ message }) => message.includes('closed again'))).toHaveLength(1);
    expect(turns[0]).toMatchObject({
      level: 'warn',
      fields: { provider: 'openai', model: 'gpt-5-mini', opens: 1 },
    });
    expect(turns[0]?.fields['reason']).toMatch(/^\d+ failures and 0 time-outs of \d+ requests$/);
    await bothHosts('closed', 1);
  });

  it('is stood in for by the fallback, which is what is recorded, priced and counted', async () => {
    await start(
      { circuit: { minRequests: 10, openMs: 60_000 }, retryBudget: { floor: 100 } },
      { [sick]: well },
    );
    strike(1);
    await admit(sick, 60);
    await wait(async () => expect(await completed(sick)).toBe(60));
    const calls = await read<CallRow>(
      `select c.provider, c.attempt, c.outcome, c.cost_usd::text, c.fallback_from, ${lineOfRecord} as line
       from millrace.calls c join millrace.outbox o on o.subject = c.id`,
    );
    const answered = calls.filter(({ outcome }) => outcome === 'ok');
    expect(answered).toHaveLength(60);
    for (const { provider, fallback_from: fallbackFrom, cost_usd: cost, line } of answered) {
      expect({ provider, fallbackFrom }).toEqual({ provider: 'anthropic', fallbackFrom: sick });
      expect(JSON.parse(line)).toMatchObject({
        provider: 'anthropic',
        model: 'claude-haiku-4-5',
        fallback_from: sick,
      });
      expect(usd(cost).isZero()).toBe(false);
    }
    expect(calls.filter(({ outcome }) => outcome !== 'ok').map((call) => call.fallback_from)).not.toContain(
      sick,
    );
    expect(formatUsd(sumUsd(calls.map((call) => usd(call.cost_usd))))).toBe(
      (await simulator.bill()).totalUsd,
    );
    const counted = await Promise.all(
      workers.hosts.map(async ({ metrics }) => {
        const { body } = await metrics.render();
        const line =
          /llm_fallbacks_total\{from_model="openai\/gpt-5-mini",to_model="anthropic\/claude-haiku-4-5"\} (\d+)/;
        return Number(line.exec(body)?.[1] ?? 0);
      }),
    );
    expect(counted.reduce((sum, count) => sum + count, 0)).toBe(60);
  });

  it('that makes every third request fail does not make more retries than the budget has', async () => {
    const floor = 10;
    const share = 0.2;
    const messages = depth({ usual: 120, full: 200 });
    await start({ circuit: { enabled: false }, retryBudget: { floor, share, windowMs: 60_000 } });
    strike(0.34);
    await admit(sick, messages);
    const parked = async (): Promise<number> => {
      const bodies = await Promise.all(
        workers.hosts.map(async ({ metrics }) => (await metrics.render()).body),
      );
      return bodies.reduce((sum, body) => {
        const found = /messages_parked_total\{[^}]*reason="retry_budget"\} (\d+)/.exec(body);
        return sum + Number(found?.[1] ?? 0);
      }, 0);
    };
    await wait(async () => {
      expect(await parked()).toBeGreaterThan(10);
      const [open] = await read<{ n: number }>(
        `select count(*)::int as n from millrace.messages m where state <> 'completed'
           and not exists (select 1 from millrace.calls c where c.message_id = m.id)`,
      );
      expect(open?.n).toBe(0);
    });
    const calls = await read<{ attempt: number }>('select attempt from millrace.calls');
    // What the provider saw is what the ledger says.
    expect(simulator.stats().requests).toBe(calls.length);
    const firsts = calls.filter(({ attempt }) => attempt === 1).length;
    const retries = calls.length - firsts;
    expect(firsts).toBe(messages);
    expect(retries).toBeGreaterThanOrEqual(floor);
    expect(retries).toBeLessThanOrEqual(floor + share * firsts);
    expect(await read(`select 1 from millrace.messages where state = 'dead_lettered'`)).toEqual([]);
  });
});
