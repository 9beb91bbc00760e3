import fs, { existsSync, statSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { generateText } from 'ai';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { createMillraceApp, type MillraceApp } from '../../src/host/create-millrace-app.ts';
import { Host } from '../../src/host/host.ts';
import { forecastSchema } from '../../src/capabilities/costs/forecast/forecast-document.ts';
import { anomalySchema } from '../../src/capabilities/costs/anomalies/anomaly-document.ts';
import { concentrationSchema } from '../../src/capabilities/costs/concentration/concentration-document.ts';
import { savingsReportSchema } from '../../src/capabilities/costs/savings/savings-document.ts';
import { statementSchema } from '../../src/capabilities/costs/statements/statement-document.ts';
import { costReportSchema } from '../../src/capabilities/costs/cost-report-document.ts';
import { defineMessage, defineStage, Stage } from '../../src/millrace.ts';
import { ScriptedModel } from '../../src/testing/scripted-model.ts';
import type { StageContext } from '../../src/engine/pipeline/stage-context.ts';
import { newHostDirectory } from '../support/migrated-columns.ts';
import { runCommand } from '../support/run-command.ts';

/* `millrace costs` and `millrace calls` beside a host that has spent something. */

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
// 4 × 0.25 + 100 × 2 dollars a million
const oneCall = '0.000201';
const patience = { timeout: 30_000, interval: 50 };
const work = [
  { team: 'blue', customer: 'acme', feature: 'shop' },
  { team: 'blue', customer: 'acme', feature: 'search' },
  { team: 'blue', customer: 'globex', feature: 'shop', labels: { region: 'eu' } },
  { team: 'rose', customer: 'acme', feature: 'shop', batch: 'nightly' },
];

let directory: string;
let app: MillraceApp;

const run = (...args: readonly string[]) => runCommand([...args, '--data', directory]);
const costs = async (...args: readonly string[]) => {
  const ended = await run('costs', '--json', ...args);
  expect(ended.code, ended.stderr).toBe(0);
  return costReportSchema.strict().parse(JSON.parse(ended.stdout));
};
const callOf = async (customer: string): Promise<string> => {
  const { database } = app.nest.get(Host).stores;
  const { rows } = await database.query<{ id: string }>(
    {
      name: 'test.call_of',
      text: `select c.id from millrace.calls c join millrace.messages m on m.id = c.message_id where m.customer = $1`,
    },
    [customer],
  );
  return rows[0]?.id ?? '';
};

beforeAll(async () => {
  directory = await newHostDirectory('millrace-spend-');
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
  for (const [number, origin] of work.entries()) {
    const { messageIds } = await app.millrace.admit(Ticket.v1, { text: `ticket ${number}` }, { origin });
    expect(await app.millrace.waitFor(messageIds[0] ?? '')).toMatchObject({ state: 'completed' });
  }
  await vi.waitFor(async () => expect((await costs()).totals.calls).toBe(4), patience);
});
afterAll(async () => {
  await app.close();
  await rm(directory, { recursive: true, force: true });
});

describe('millrace costs', () => {
  it.each([
    [[], 4],
    [['--team', 'blue'], 3],
    [['--team', 'rose'], 1],
    [['--team', 'blue', '--team', 'rose'], 4],
    [['--customer', 'acme'], 3],
    [['--customer', 'acme', '--team', 'blue'], 2],
    [['--feature', 'search'], 1],
    [['--batch', 'nightly'], 1],
    [['--pipeline', 'default'], 4],
    [['--stage', 'triage'], 4],
    [['--provider', 'openai'], 4],
    [['--model', 'gpt-5-mini'], 4],
    [['--customer', 'nobody'], 0],
    [['--to', '2020-01-01', '--from', '2019-01-01'], 0],
  ] as const)('%j finds %i calls, as the API does', async (filters, calls) => {
    const { totals } = await costs(...filters);
    expect(totals).toMatchObject({ calls, costUsd: usdOf(calls) });
  });

  it('groups, orders and cuts, as a table, as JSON and as CSV', async () => {
    const report = await costs('--group-by', 'customer,team', '--order', '-cost', '--limit', '1');
    expect(report).toMatchObject({
      groups: [{ key: { customer: 'acme', team: 'blue' }, calls: 2 }],
      truncated: true,
    });
    const csv = await run('costs', '--csv', '--group-by', 'feature', '--order', 'cost');
    expect(
      csv.stdout
        .trim()
        .split(/\r?\n/)
        .slice(1)
        .map((line) => line.split(',')[0]),
    ).toEqual(['search', 'shop']);
    const table = await run('costs', '--group-by', 'team', '--order', '-cost');
    expect(table.stdout).toMatch(/blue.*\n.*rose/);
  });

  it.each([
    [['--group-by', 'colour'], /--group-by: /],
    [['--limit', '0'], /--limit: /],
    [['--from', 'yesterday'], /--from: /],
    [['--order', 'sideways'], /--order: /],
  ] as const)('refuses %j in one error that names the field', async (args, field) => {
    const ended = await run('costs', ...args);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toMatch(/^MILLRACE_REQUEST_INVALID: /);
    expect(ended.stderr).toMatch(field);
  });
});

describe('millrace costs forecast', () => {
  it('tells what was spent this month and what is to come, in text and as JSON', async () => {
    const ended = await run('costs', 'forecast', '--team', 'blue', '--json');
    expect(ended.code, ended.stderr).toBe(0);
    const forecast = forecastSchema.strict().parse(JSON.parse(ended.stdout));
    expect(forecast).toMatchObject({ spentUsd: usdOf(3), unpricedCalls: 0 });
    const text = await run('costs', 'forecast', '--timezone', 'Europe/Berlin');
    expect(text.stdout).toContain(`so far: ${usdOf(4)} USD (days of Europe/Berlin)`);
    expect((await run('costs', 'forecast', '--timezone', 'Nowhere')).code).toBe(2);
  });
});

describe('millrace costs by labels, concentration, anomalies and savings', () => {
  const answerOf = async (...args: readonly string[]): Promise<unknown> => {
    const ended = await run('costs', ...args, '--json');
    expect(ended.code, ended.stderr).toBe(0);
    return JSON.parse(ended.stdout);
  };

  it('groups and filters by labels', async () => {
    const groups = (await costs('--group-by', 'label:region', '--order', 'key')).groups;
    expect(groups.map(({ key, costUsd }) => [key['label:region'], costUsd])).toEqual([
      ['', usdOf(3)],
      ['eu', usdOf(1)],
    ]);
    expect((await costs('--label', 'region=eu')).totals.costUsd).toBe(usdOf(1));
    expect((await run('costs', '--label', 'region')).code).toBe(2);
    expect((await run('costs', '--group-by', 'label:Region')).code).toBe(2);
  });

  it('tells what costs most', async () => {
    const spread = concentrationSchema.parse(await answerOf('concentration', '--by', 'customer'));
    expect(spread).toMatchObject({ names: 2, totals: { costUsd: usdOf(4) } });
    expect(spread.top.map(({ name, costUsd }) => [name, costUsd])).toEqual([
      ['acme', usdOf(3)],
      ['globex', usdOf(1)],
    ]);
    const { stdout } = await run('costs', 'concentration', '--by', 'customer', '--team', 'blue');
    expect(stdout).toContain('The most expensive 10 % (1 of 2)');
    expect((await run('costs', 'concentration')).code).toBe(2);
  });

  it('says why there are no anomalies', async () => {
    const found = anomalySchema.parse(await answerOf('anomalies', '--by', 'team'));
    expect(['no_records', 'too_little_history']).toContain(found.reason);
    expect((await run('costs', 'anomalies')).stdout).toMatch(/known for 4 weeks and judged/);
    expect((await run('costs', 'anomalies', '--by', 'day')).code).toBe(2);
  });

  it('tells savings, and what nobody knows of them', async () => {
    const saved = savingsReportSchema.parse(await answerOf('savings'));
    expect(saved).toMatchObject({ caching: { savedUsd: '0' }, tiers: [], unvalued: { calls: 0 } });
    expect((await run('costs', 'savings')).stdout).toContain('reused answers');
  });
});

describe('millrace costs statement', () => {
  const month = new Date().toISOString().slice(0, 7);

  it('writes a page for people, and one document for programs', async () => {
    const file = join(directory, 'statement.html');
    const args = ['costs', 'statement', '--month', month, '--team', 'blue', '--output', file] as const;
    expect(await run(...args)).toMatchObject({ code: 0, stdout: '' });
    const page = await readFile(file, 'utf8');
    expect(page).toContain('<bdi>blue</bdi>');
    expect(page).toContain(`${usdOf(3)} USD`);
    expect((await run(...args)).stderr).toContain('--force');
    const json = await run('costs', 'statement', '--month', month, '--format', 'json');
    expect(statementSchema.strict().parse(JSON.parse(json.stdout)).totals.costUsd).toBe(usdOf(4));
  });

  it('needs a month, and one that is not still to come', async () => {
    expect((await run('costs', 'statement')).code).toBe(2);
    const future = await run('costs', 'statement', '--month', '2199-01');
    expect(future.code).toBe(2);
    expect(future.stderr).toContain('--month');
  });
});

describe('millrace calls correct', () => {
  it('shows what would change, changes it with a reason, once, and the report follows', async () => {
    const id = await callOf('globex');
    const counts = ['--usage', 'uncached_input=4,text_output=200'];
    const preview = await run('calls', 'correct', id, ...counts, '--dry-run');
    expect(preview).toMatchObject({ code: 0, stderr: '' });
    expect(preview.stdout).toBe(`Would correct call ${id}: ${oneCall} USD before, 0.000401 USD now.\n`);
    expect((await costs('--customer', 'globex')).totals.costUsd).toBe(oneCall);
    const silent = await run('calls', 'correct', id, ...counts);
    expect(silent).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('--reason') as string,
    });
    const reason = ['--reason', 'the bill', '--actor', 'ann'];
    expect((await run('calls', 'correct', id, ...counts, ...reason)).stdout).toBe(
      `Corrected call ${id}: ${oneCall} USD before, 0.000401 USD now.\n`,
    );
    const again = await run('calls', 'correct', id, ...counts, ...reason, '--json');
    expect(JSON.parse(again.stdout)).toMatchObject({ id, isChanged: false, after: { costUsd: '0.000401' } });
    await vi.waitFor(
      async () =>
        expect((await costs('--customer', 'globex')).totals).toMatchObject({ costUsd: '0.000401', calls: 1 }),
      patience,
    );
  });

  it('refuses an unknown call, and counts that are none', async () => {
    const id = '00000000-0000-7000-8000-000000000000';
    const unknown = await run('calls', 'correct', id, '--usage', 'text_output=1', '--dry-run');
    expect(unknown).toMatchObject({ code: 1, stdout: '' });
    expect(unknown.stderr).toMatch(/^MILLRACE_NOT_FOUND: /);
    for (const counts of ['text_output', 'tea=1', 'text_output=-1', 'text_output=1,text_output=2']) {
      const refused = await run('calls', 'correct', 'x', '--usage', counts);
      expect(refused).toMatchObject({ code: 2, stdout: '' });
      expect(refused.stderr).toContain('is no class=count');
    }
  });
});

function usdOf(calls: number): string {
  // Millionths of a dollar.
  return calls === 0 ? '0' : (Number(oneCall) * calls).toFixed(6).replace(/0+$/, '');
}

describe('millrace focus export', () => {
  const today = new Date().toISOString().slice(0, 10);
  const tomorrow = new Date(Date.parse(today) + 2 * 86_400_000).toISOString().slice(0, 10);
  const yesterday = new Date(Date.parse(today) - 86_400_000).toISOString().slice(0, 10);
  const period = ['--from', yesterday, '--to', tomorrow];

  it('writes the dataset to standard output, what it did to the other', async () => {
    const ended = await run('focus', 'export', ...period, '--team', 'rose');
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stderr).toContain('2 rows from');
    const [header, ...lines] = ended.stdout.trimEnd().split('\r\n');
    expect(header?.split(',')[0]).toBe('BilledCost');
    expect(new Set(lines.map((line) => line.split(',')[0]))).toEqual(new Set(['0.000001', '0.0002']));
  });

  it('writes a file whole, and replaces one only when it is told to', async () => {
    const file = join(directory, 'focus.parquet');
    const args = ['focus', 'export', ...period, '--format', 'parquet', '--output', file] as const;
    expect(await run(...args)).toMatchObject({ code: 0, stdout: '' });
    const written = await readFile(file);
    expect([written.subarray(0, 4).toString(), written.subarray(-4).toString()]).toEqual(['PAR1', 'PAR1']);
    const refused = await run(...args);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('--force');
    expect(await run(...args, '--force')).toMatchObject({ code: 0 });
  });

  it('has the whole file on the disk before the file has its name', async () => {
    const file = join(directory, 'focus.csv');
    const synced: (readonly [named: boolean, bytes: number])[] = [];
    const { fsync } = fs;
    const spy = vi.spyOn(fs, 'fsync').mockImplementation((descriptor, done) => {
      synced.push([existsSync(file), statSync(`${file}.partial`).size]);
      fsync(descriptor, done);
    });
    try {
      expect(await run('focus', 'export', ...period, '--output', file)).toMatchObject({ code: 0 });
    } finally {
      spy.mockRestore();
    }
    expect(synced).toEqual([[false, statSync(file).size]]);
  });

  it('refuses what it does not understand', async () => {
    const wrong = await run('focus', 'export', '--from', 'yesterday');
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('from');
    expect((await run('focus', 'export', '--format', 'xml')).code).toBe(2);
  });
});
