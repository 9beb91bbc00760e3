import { type ChildProcess, fork } from 'node:child_process';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openColumns } from '../../src/host/stores.ts';
import { loadConfiguration } from '../../src/host/load-configuration.ts';
import { PgliteSqlDatabase } from '../../src/drivers/sql-database/sql-database.pglite.ts';
import { formatUsd, sumUsd, type Usd, usd, zeroUsd } from '../../src/kernel/money.ts';
import type { BillEntry } from '../../src/simulator/bill.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { trickNames } from '../../src/simulator/trick-names.ts';
import { builtCommand } from '../support/built-package.ts';
import { hostileRun } from '../support/hostile-run.ts';
import { fillHostDirectory } from '../support/migrated-columns.ts';
import { runMillrace } from '../support/millrace-process.ts';
import { OtlpReceiver } from '../support/otlp-receiver.ts';
import { depth } from '../support/test-depth.ts';
import { shortRunFlags } from '../support/short-run-flags.ts';
import { findSecret } from '../support/secret-search.ts';
import { hostileConfiguration, hostileKeys } from './hostile-configuration.ts';
import type { HostileNews, HostileWork } from './hostile-host.ts';

/*
 * A whole host (the built package, embedded, in a process of its own) against a provider that redirects, floods, lies
 * and echoes keys. HOSTILE_CALLS (how many at least, default 200) and HOSTILE_SEED
 * choose the run.
 */

const { fewestCalls, seed, path: programs, compileCache } = hostileRun();
/** What the process may take beyond what it took after a hundred good answers, while sixteen bad ones are in hand. */
const maxGrowthBytes = 320 * 1024 * 1024;
const warmUp = 100;
/** How many calls a message makes at least on average: what fails is tried again. */
const callsPerMessage = 1.1;
/** So many messages and dead letters are looked at one by one. */
const looked = depth({ usual: 50, full: 150 });
const messages = Math.ceil(fewestCalls / callsPerMessage);
const batch = 'hostile-batch';

const secrets = Object.values(hostileKeys);

interface CallRow {
  readonly id: string;
  readonly message_id: string;
  readonly state: string;
  readonly outcome: string;
  readonly settlement: string;
  readonly cost_usd: string | null;
  readonly upper_bound_usd: string | null;
  readonly rejected: boolean;
}

let folder = '';
let hostile: Simulator;
let sound: Simulator;
const receiver = new OtlpReceiver();
/** Everything that was shown or written, by where. */
const shown = new Map<string, string>();
let peakGrowthBytes = 0;
let calls: readonly CallRow[] = [];
let states: readonly { readonly stage: string; readonly state: string; readonly count: number }[] = [];
let doubled: readonly unknown[] = [];
let reported: { readonly costUsd: string; readonly calls: number };

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-hostile-'));
  const command = await builtCommand();
  const latency = { medianMs: 0, p99Ms: 0 };
  hostile = await startSimulator({ seed, latency, hostile: { share: 0.6 } });
  sound = await startSimulator({ seed, latency });
  const configFile = join(folder, 'millrace.json');
  const data = join(folder, 'data');
  await fillHostDirectory(data);
  writeFileSync(
    configFile,
    JSON.stringify(
      hostileConfiguration({
        dataDirectory: data,
        otlpUrl: await receiver.start(),
        hostileUrl: hostile.url,
        soundUrl: sound.url,
      }),
    ),
  );
  const host = fork(join(import.meta.dirname, 'hostile-host.ts'), [command, configFile], {
    cwd: folder,
    env: { PATH: programs, NODE_COMPILE_CACHE: compileCache },
    execArgv: shortRunFlags,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let log = '';
  const keep = (text: string): void => {
    log += text;
  };
  for (const stream of [host.stdout, host.stderr]) stream?.setEncoding('utf8').on('data', keep);
  try {
    const { url } = await next<{ readonly url: string }>(host, () => log);
    await work(host, { batch: 'sound', messages: warmUp, models: ['sound/gpt-5-mini'] }, () => log);
    const before = residentBytes(host);
    const sampler = setInterval(() => {
      peakGrowthBytes = Math.max(peakGrowthBytes, residentBytes(host) - before);
    }, 50);
    const models = [
      'chat/gpt-5-mini',
      'responses/gpt-5-mini',
      'claude/claude-haiku-4-5',
      'compatible/gpt-5-mini',
    ];
    await work(host, { batch, messages, models }, () => log);
    clearInterval(sampler);
    await showHttp(url);
    await showCommands(configFile, data);
  } finally {
    const ended = once(host, 'exit');
    host.kill('SIGTERM');
    await ended;
  }
  shown.set('log', log);
  shown.set('spans', JSON.stringify(receiver.received));
  await readStores(configFile, data);
}, 2_400_000);

afterAll(async () => {
  await hostile.close();
  await sound.close();
  await receiver.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function next<News extends HostileNews>(host: ChildProcess, log: () => string): Promise<News> {
  const stopped = new AbortController();
  try {
    const [news] = (await Promise.race([
      once(host, 'message', { signal: stopped.signal }),
      once(host, 'exit', { signal: stopped.signal }).then(() => {
        throw new Error(`The host ended: ${log().slice(-4000)}`);
      }),
    ])) as [News];
    return news;
  } finally {
    stopped.abort();
  }
}

async function work(host: ChildProcess, orders: HostileWork, log: () => string): Promise<void> {
  const ended = next<{ readonly ended: string }>(host, log);
  host.send(orders);
  expect((await ended).ended).toBe(orders.batch);
}

function residentBytes({ pid }: ChildProcess): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

/** What the API answers about all of it. */
async function showHttp(url: string): Promise<void> {
  const get = async (path: string): Promise<string> => {
    const response = await fetch(`${url}${path}`);
    expect(response.status, path).toBe(200);
    const text = await response.text();
    shown.set(path, text);
    return text;
  };
  const getMore = async (path: string): Promise<void> => {
    for (const more of ['tree', 'data']) await get(`${path}/${more}`);
  };
  const dimensions = ['team', 'stage', 'provider', 'model', 'batch'];
  for (const path of ['/metrics', '/v1/status', '/v1/budgets', '/v1/pauses', '/v1/keys', '/health'])
    await get(path);
  for (const by of dimensions) await get(`/v1/costs?group_by=${by}`);
  const total = JSON.parse(await get(`/v1/costs?batch=${batch}`)) as { readonly totals: typeof reported };
  reported = total.totals;
  for (const list of ['/v1/messages', '/v1/dead-letters']) {
    let after: string | null | undefined = '';
    let left = looked;
    while (typeof after === 'string') {
      const page = JSON.parse(await get(`${list}?limit=100${after === '' ? '' : `&after=${after}`}`)) as {
        readonly items?: readonly { readonly id: string }[];
        readonly messages?: readonly { readonly id: string }[];
        readonly deadLetters?: readonly { readonly id: string }[];
        readonly next?: string | null;
      };
      const items = page.items ?? page.messages ?? page.deadLetters ?? [];
      expect(items.length, list).toBeGreaterThan(0);
      for (const { id } of items.slice(0, left)) {
        await get(`${list}/${id}`);
        if (list === '/v1/messages') await getMore(`${list}/${id}`);
      }
      left = Math.max(0, left - items.length);
      after = page.next;
    }
  }
}

/** What commands beside the host print. */
async function showCommands(configFile: string, data: string): Promise<void> {
  // One with an echo in it.
  const path = [...shown].find(
    ([at, text]) => at.startsWith('/v1/dead-letters/') && text.includes('[redacted]'),
  );
  const deadLetter = path?.[0].split('/').at(-1) ?? '';
  for (const args of [
    ['status'],
    ['costs'],
    ['costs', '--json'],
    ['dead-letters', 'list'],
    ['dead-letters', 'show', deadLetter],
    ['dead-letters', 'show', deadLetter, '--json'],
    ['messages', 'list'],
    ['messages', 'show', deadLetter],
  ]) {
    const { exitCode, stdout, stderr } = await runMillrace(
      [...args, '--config', configFile, '--data', data],
      folder,
    );
    expect(exitCode, `${args.join(' ')}: ${stderr}`).toBe(0);
    shown.set(`millrace ${args.join(' ')}`, stdout + stderr);
  }
}

/** Every row of every table, and every payload. */
async function readStores(configFile: string, data: string): Promise<void> {
  const database = await PgliteSqlDatabase.open({ dataDirectory: join(data, 'ledger') });
  const read = async <Row>(text: string): Promise<readonly Row[]> =>
    (
      await database.query<Row & Record<string, unknown>>({
        name: `test.read_${hash('md5', text).slice(0, 8)}`,
        text,
      })
    ).rows;
  try {
    for (const { name } of await read<{ name: string }>(
      `select table_schema || '.' || table_name as name from information_schema.tables
       where table_schema not in ('pg_catalog', 'information_schema') and table_type = 'BASE TABLE'`,
    )) {
      const rows = await read<{ row: string }>(`select t::text as row from ${name} t`);
      shown.set(`PostgreSQL ${name}`, rows.map(({ row }) => row).join('\n'));
    }
    calls = await read<CallRow>(
      `select c.id::text, c.message_id::text, c.state, c.outcome, c.settlement, c.cost_usd::text,
              c.upper_bound_usd::text, c.invalidated_at is not null as rejected
       from millrace.calls c join millrace.messages m on m.id = c.message_id where m.batch = '${batch}'`,
    );
    states = await read(
      `select stage, state, count(*)::int as count from millrace.messages where batch = '${batch}' group by 1, 2`,
    );
    doubled = await read(
      `select parent_id from millrace.messages where batch = '${batch}' and stage = ''
       group by parent_id having count(*) > 1`,
    );
  } finally {
    await database.close();
  }
  const columns = await openColumns(loadConfiguration({ environment: {}, file: configFile }));
  try {
    const tables = await columns.query<{ name: string }>(
      `select name from system.tables where database = 'millrace' and engine not like '%View'`,
    );
    for (const { name } of tables) {
      const rows = await columns.query(`select * from millrace.\`${name}\``);
      shown.set(`ClickHouse ${name}`, JSON.stringify(rows));
    }
  } finally {
    await columns.close();
  }
  const payloads = join(data, 'payloads');
  for (const file of readdirSync(payloads, { recursive: true, encoding: 'utf8' })) {
    const path = join(payloads, file);
    if (statSync(path).isFile()) shown.set(`payload ${file}`, readFileSync(path, 'utf8'));
  }
}

const amount = (text: string | null): Usd => (text === null ? zeroUsd : usd(text));

describe(`${messages} messages to a hostile provider`, () => {
  it('met every trick', () => {
    const { byTrick } = hostile.stats();
    expect(Object.keys(byTrick).toSorted()).toEqual([...trickNames].toSorted());
    expect(calls.length).toBeGreaterThanOrEqual(fewestCalls);
  });

  it('are all ended, none lost, none done twice', () => {
    const count = (stage: string, state: string): number =>
      states.find((row) => row.stage === stage && row.state === state)?.count ?? 0;
    expect(count('ask', 'completed') + count('ask', 'dead_lettered')).toBe(messages);
    expect(count('ask', 'completed')).toBeGreaterThan(messages / 5);
    expect(count('', 'completed')).toBe(count('ask', 'completed'));
    expect(doubled).toEqual([]);
    const good = Map.groupBy(
      calls.filter(({ outcome, rejected }) => outcome === 'ok' && !rejected),
      (call) => call.message_id,
    );
    expect([...good.values()].filter((same) => same.length > 1)).toEqual([]);
  });

  it('are accounted for within bounds, call by call and in sum', async () => {
    const { entries = [], totalUsd } = await hostile.bill({ entries: true });
    const billed = new Map(entries.map((entry) => [entry.callId ?? '', entry]));
    expect(billed.size).toBe(entries.length);
    const known = new Set(calls.map(({ id }) => id));
    expect(entries.filter(({ callId }) => !known.has(callId ?? ''))).toEqual([]);
    expect(calls.filter((call) => !isBounded(call, billed.get(call.id)))).toEqual([]);
    const open = calls.filter((call) => call.upper_bound_usd !== null);
    const certain = calls.filter((call) => call.upper_bound_usd === null);
    const lower = sumUsd(certain.map((call) => amount(call.cost_usd)));
    const upper = lower.plus(sumUsd(open.map((call) => amount(call.upper_bound_usd))));
    expect(usd(totalUsd).greaterThanOrEqualTo(lower), `${totalUsd} >= ${formatUsd(lower)}`).toBe(true);
    expect(usd(totalUsd).lessThanOrEqualTo(upper), `${totalUsd} <= ${formatUsd(upper)}`).toBe(true);
    expect(reported).toMatchObject({
      costUsd: formatUsd(sumUsd(calls.map((call) => amount(call.cost_usd)))),
      calls: calls.length,
    });
  });

  /** Known to the last digit, known to be nothing, or below a bound that stands in the ledger. */
  function isBounded(
    { settlement, cost_usd: cost, upper_bound_usd: bound }: CallRow,
    entry?: BillEntry,
  ): boolean {
    const truth = entry === undefined ? zeroUsd : usd(entry.costUsd);
    switch (settlement) {
      case 'free':
        return truth.isZero();
      case 'reported':
        if (cost !== null) return bound === null && amount(cost).equals(truth);
        break;
      default:
        break;
    }
    // Estimated, unsettled, or of a tier that has no price: a bound stands in its place.
    return (
      bound !== null && amount(bound).greaterThanOrEqualTo(truth) && !amount(cost).greaterThan(amount(bound))
    );
  }

  it('take no more memory than is stated', () => {
    expect(peakGrowthBytes).toBeGreaterThan(0);
    expect(peakGrowthBytes).toBeLessThan(maxGrowthBytes);
  });

  it('leave nothing at the place where redirects lead', () => {
    expect(hostile.stats().byTrick['redirect']).toBeGreaterThan(0);
    expect(hostile.decoyReceived()).toEqual([]);
  });

  it('leave no key in any store, log, span, metric or answer', () => {
    const places = [...shown.keys()];
    for (const kind of [
      'PostgreSQL ',
      'ClickHouse ',
      'payload ',
      '/v1/',
      '/metrics',
      'millrace ',
      'log',
      'spans',
    ]) {
      const texts = places.filter((place) => place.startsWith(kind)).map((place) => shown.get(place) ?? '');
      // What is searched is there: the batch's name stands in it, or, where nothing shows that, the model's.
      expect(
        texts.some((text) => /hostile-batch|gpt-5-mini|mill\b/.test(text)),
        kind,
      ).toBe(true);
      expect(texts.some((text) => text.includes('[redacted]')) || kind === '/metrics', kind).toBe(true);
    }
    const found = [...shown].flatMap(([place, text]) => {
      const what = findSecret(text, secrets);
      return what === undefined ? [] : [`${place}: ${what}`];
    });
    expect(found).toEqual([]);
  });

  it('would have been found in each form', () => {
    const [, secret = ''] = secrets;
    for (const text of [
      secret,
      encodeURIComponent(secret),
      encodeURIComponent(encodeURIComponent(secret)),
      JSON.stringify(secret).replaceAll('/', String.raw`\/`),
      Buffer.from(secret).toString('hex').replaceAll(/../g, '%$&'),
      Buffer.from(secret).toString('base64'),
      Buffer.from(`a:${secret}`).toString('base64url'),
      encodeURIComponent(Buffer.from(`user:${secret}`).toString('base64')),
    ]) {
      expect(findSecret(`before ${text} after`, secrets), text).toContain(secret);
    }
  });
});
