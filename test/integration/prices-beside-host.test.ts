import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateText } from 'ai';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { callPriceSchema } from '../../src/capabilities/prices/call-price/call-price-document.ts';
import { repriceReportSchema } from '../../src/capabilities/prices/reprice/reprice-document.ts';
import { createMillraceApp, type MillraceApp } from '../../src/host/create-millrace-app.ts';
import { Host } from '../../src/host/host.ts';
import { defineMessage, defineStage, Stage } from '../../src/millrace.ts';
import { ScriptedModel } from '../../src/testing/scripted-model.ts';
import type { StageContext } from '../../src/engine/pipeline/stage-context.ts';
import { newHostDirectory } from '../support/migrated-columns.ts';
import { runCommand } from '../support/run-command.ts';

/* Prices that are set beside a host that works, and calls of before that are priced by them. */

const Ticket = defineMessage('ticket').version(1, z.object({ text: z.string() }));
const definition = defineStage('triage', { consumes: Ticket.upTo(1) });
class Triage {
  async handle({ data }: { data: { text: string } }, context: StageContext): Promise<void> {
    await generateText({
      model: context.model('openai/gpt-5-mini', { step: 'answer' }),
      prompt: data.text,
      maxOutputTokens: 500,
    });
  }
}
Stage(definition)(Triage);

const usage = { uncachedInput: 4, textOutput: 100 };
// 4 × 0.25 + 100 × 2, and 4 × 1 + 100 × 10 dollars a million
const listed = '0.000201';
const agreed = '0.001004';
const patience = { timeout: 30_000, interval: 50 };
const origin = { team: 'blue', customer: 'acme', feature: 'shop' };

let directory: string;
let app: MillraceApp;

const run = async (...args: readonly string[]) => {
  const ended = await runCommand([...args, '--data', directory]);
  expect(ended.code, ended.stderr).toBe(0);
  return ended.stdout;
};
async function called(): Promise<{ readonly id: string; readonly cost: string | null }> {
  const { messageIds } = await app.millrace.admit(Ticket.v1, { text: 'a ticket' }, { origin });
  expect(await app.millrace.waitFor(messageIds[0] ?? '')).toMatchObject({ state: 'completed' });
  const { database } = app.nest.get(Host).stores;
  const { rows } = await database.query<{ id: string; cost: string | null }>(
    {
      name: 'test.call',
      text: 'select id, cost_usd::text as cost from millrace.calls where message_id = $1::uuid',
    },
    [messageIds[0]],
  );
  return rows[0] ?? { id: '', cost: null };
}

beforeAll(async () => {
  directory = await newHostDirectory('millrace-prices-');
  const model = new ScriptedModel(() => ({ text: 'yes', usage }), 'gpt-5-mini');
  app = await createMillraceApp({
    providers: [Triage],
    environment: {},
    modelProviders: { openai: { kind: 'custom', model: () => model } },
    config: {
      dataDirectory: directory,
      http: { port: 0 },
      logging: { level: 'error' },
      exporter: { intervalMs: 50 },
    },
  });
});
afterAll(async () => {
  await app.close();
  await rm(directory, { recursive: true, force: true });
});

describe('a price that an operator sets', () => {
  it('prices calls of a running host, explains them, and those of before when they are priced anew', async () => {
    const before = await called();
    expect(before.cost).toBe(listed);
    const rates = ['--rate', 'uncached_input=1', '--rate', 'text_output=10', '--reason', 'a contract'];
    const set = JSON.parse(await run('prices', 'set', 'openai/gpt-5-mini', ...rates, '--json')) as {
      id: string;
    };
    await vi.waitFor(async () => expect((await called()).cost).toBe(agreed), patience);

    const days = ['--from', '2026-01-01', '--to', '2035-01-01'];
    const table = await run('prices', 'reprice', ...days, '--dry-run');
    expect(table).toMatch(/^Would correct \d+ of \d+ calls/);
    expect(table).toMatch(/openai +gpt-5-mini +blue/);
    const reprice = async () =>
      repriceReportSchema
        .strict()
        .parse(
          JSON.parse(
            await run('prices', 'reprice', ...days, '--reason', 'a contract', '--actor', 'ada', '--json'),
          ),
        );
    const report = await reprice();
    expect(report.corrections).toBeGreaterThan(0);
    expect(report.groups).toMatchObject([{ provider: 'openai', model: 'gpt-5-mini', team: 'blue' }]);
    expect((await reprice()).corrections).toBe(0);
    await vi.waitFor(
      async () =>
        expect(JSON.parse(await run('costs', '--json', '--messages', 'none'))).toMatchObject({
          totals: { costUsd: report.afterUsd },
        }),
      patience,
    );

    const text = await run('prices', 'explain', before.id);
    expect(text).toMatch(/text_output +100 +10 \/ million/);
    expect(text).toMatch(new RegExp(`total +${agreed.replace('.', '\\.')}`));
    expect(text).toMatch(/correction +0\.000803 .*ada +a contract/);
    const explained = callPriceSchema
      .strict()
      .parse(JSON.parse(await run('prices', 'explain', before.id, '--json')));
    expect(explained).toMatchObject({
      costUsd: agreed,
      presentUsd: agreed,
      price: { isPresent: true, rules: [{ kind: 'base' }] },
      lines: [
        { kind: 'uncached_input', count: 4, usdPerMillion: '1', amountUsd: '0.000004' },
        { kind: 'text_output', count: 100, usdPerMillion: '10', amountUsd: '0.001' },
      ],
      records: [
        { kind: 'call', costUsd: listed },
        { kind: 'correction', costUsd: '0.000803', actor: 'cli:ada', operationId: report.operationId },
      ],
    });

    expect(await run('prices', 'overrides')).toContain(set.id);
    await run('prices', 'unset', set.id, '--reason', 'it ended', '--entirely');
    expect(await run('prices', 'overrides')).toBe('No price is set.\n');
    await vi.waitFor(async () => expect((await called()).cost).toBe(listed), patience);
    expect(await run('periods')).toBe('No period is closed.\n');
  }, 120_000);
});

describe('a catalogue that an operator takes', () => {
  it('is compared first, refused where it is absurd, and prices calls of a running host', async () => {
    const file = join(directory, 'catalogue.json');
    const prices = { input_mtok: 0.5, output_mtok: 4 };
    const models = [{ id: 'gpt-5-mini', match: { equals: 'gpt-5-mini' }, prices }];
    await writeFile(file, JSON.stringify([{ id: 'openai', name: 'OpenAI', models }]));
    const shown = await run('prices', 'refresh', '--file', file);
    expect(shown).toMatch(/openai\/gpt-5-mini +uncached_input +0\.25 +0\.5 +100/);
    expect(shown).toContain('Nothing is changed');
    const take = ['prices', 'refresh', '--file', file, '--take', '--reason', 'new lists'] as const;
    const refused = await runCommand([...take, '--data', directory]);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain('MILLRACE_PRICE_CATALOGUE_ABSURD');
    expect(await run(...take, '--accept')).toContain('Taken.');
    await vi.waitFor(async () => expect((await called()).cost).toBe('0.000402'), patience);
    await run('prices', 'refresh', '--packaged', '--take', '--accept', '--reason', 'back');
    await vi.waitFor(async () => expect((await called()).cost).toBe(listed), patience);
  }, 120_000);
});
