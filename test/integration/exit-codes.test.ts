import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../support/run-command.ts';

/* What every command ends with: 0, it is done; 1, it failed or is not so; 2, the command line is wrong. */

const id = '00000000-0000-7000-8000-000000000000';
const because = ['--reason', 'r'];
const scheduleFile = join(tmpdir(), `millrace-schedule-${process.pid}.json`);
const schedule = {
  name: 'n',
  every: '1h',
  message: { type: 't', data: {}, origin: { team: 't', customer: 'c', feature: 'f' } },
};

/** What each command needs to be understood. A command that is not here fails the test that walks through them. */
const complete: Readonly<Record<string, readonly string[]>> = {
  audit: [],
  'batch cancel': ['b', ...because],
  'batch change': ['b', '--priority', '1', ...because],
  'batch discard': ['b'],
  'batch estimate': ['b'],
  'batch failed': ['b'],
  'batch items': ['b'],
  'batch list': [],
  'batch output': ['b'],
  'batch pause': ['b', ...because],
  'batch report': ['b'],
  'batch resume': ['b', ...because],
  'batch retry': ['b', ...because],
  'batch show': ['b'],
  'batch start': ['b'],
  'batch submit': [
    import.meta.filename,
    ...'--format jsonl --pipeline p --team t --customer c --feature f --type x'.split(' '),
  ],
  budgets: [],
  'budgets apply': because,
  'budgets limit': ['b', '--usd', '5', ...because],
  'budgets remove': ['b', ...because],
  'budgets reset': ['b', ...because],
  'budgets set': ['b', '--usd', '5', '--window', 'day', ...because],
  'budgets show': ['b'],
  'calls correct': [id, '--usage', 'text_output=1', ...because],
  check: [],
  costs: [],
  'costs anomalies': [],
  'costs concentration': ['--by', 'customer'],
  'costs forecast': [],
  'costs savings': [],
  'costs statement': ['--month', '2026-01'],
  'dead-letters discard': ['--all', ...because],
  'dead-letters list': [],
  'dead-letters replay': ['--all', ...because],
  'dead-letters show': [id],
  demo: [],
  erase: ['--customer', 'acme', ...because],
  'focus export': [],
  'keys create': ['--name', 'n', '--scope', 'admin'],
  'keys list': [],
  'keys revoke': [id],
  'keys rotate': [id],
  limits: [],
  'limits reset': ['openai/gpt-5-mini', ...because],
  'limits set': ['openai/gpt-5-mini', '--tokens', '5', ...because],
  'messages cancel': ['--all', ...because],
  'messages list': [],
  'messages retry': ['--all', ...because],
  'messages show': [id],
  'messages wait': [id],
  migrate: [],
  pause: ['all', ...because],
  pauses: [],
  periods: [],
  'periods close': ['2026-01'],
  'periods reopen': ['2026-01', ...because],
  'pipelines list': ['--stages', 'stages.js'],
  'pipelines show': ['p', '--stages', 'stages.js'],
  prices: ['openai/gpt-5-mini'],
  'prices check': [],
  'prices explain': ['openai/gpt-5-mini'],
  'prices list': [],
  'prices overrides': [],
  'prices refresh': ['--file', import.meta.filename],
  'prices reprice': ['--from', '2026-01-01', '--to', '2026-02-01', '--dry-run'],
  'prices set': ['openai/gpt-5-mini', '--rate', 'text_output=1', ...because],
  'prices unset': [id, ...because],
  'provider-batches give-up': [id, ...because],
  'provider-batches list': [],
  'provider-batches send-again': [id, ...because],
  'provider-batches take-over': [id, 'batch_1', ...because],
  providers: [],
  'reconcile bill': ['--provider', 'openai', '--file', import.meta.filename],
  'reconcile list': [],
  'reconcile show': [id],
  'requests cancel': [id],
  'requests list': [],
  'requests show': [id],
  'requests submit': '--stages stages.js --pipeline p --team t --customer c --feature f --input {}'.split(
    ' ',
  ),
  'requests wait': [id],
  resume: ['all', ...because],
  schedules: [],
  'schedules delete': [id, ...because],
  'schedules pause': [id, ...because],
  'schedules resume': [id, ...because],
  'schedules run': [id, ...because],
  'schedules set': [scheduleFile],
  'schedules show': [id],
  simulator: [],
  start: ['--stages', 'stages.js'],
  status: [],
  tail: ['--seconds', '0'],
  'waits complete': ['token', '--stages', 'stages.js', '--with', '{}'],
  'waits list': [],
  'webhooks create': ['--name', 'n', '--url', 'https://example.com/', '--team', 't'],
  'webhooks delete': [id],
  'webhooks deliveries': [id],
  'webhooks disable': [id],
  'webhooks enable': [id],
  'webhooks list': [],
  'webhooks redeliver': ['--delivery', id],
  'webhooks rotate': [id],
  'webhooks show': [id],
  'webhooks test': [id],
};

/** What works without an installation, or makes one. */
const needNoData = new Set(['check', 'demo', 'migrate', 'prices', 'prices explain', 'simulator', 'start']);
const filters = ['team', 'customer', 'feature', 'batch', 'stage', 'model', 'owner', 'event-id', 'error-code'];
/** Words of the API say nothing to somebody at a terminal. */
const apiWords = /\/v1\/|\/openapi\.json|\bHTTP\b|\b(?:GET|POST|PUT|DELETE)\b|\b[45]\d\d\b|received NaN/;

/** Where a reason is wanted for the audit, or only with another option. */
const isWithoutReason = (name: string): boolean =>
  /^(?:keys|requests|waits|webhooks) /.test(name) || reasonOptional.has(name);
const reasonOptional = new Set([
  'schedules set',
  'batch discard',
  'batch start',
  'batch submit',
  'periods close',
  'prices refresh',
  'prices reprice',
]);

interface KnownCommand {
  readonly name: string;
  readonly help: string;
}

let folder = '';
let commands: readonly KnownCommand[] = [];
const data = (): string => join(folder, 'data');

/** Every command that does something, as the help lists them. */
async function listCommands(path: readonly string[]): Promise<readonly KnownCommand[]> {
  const { code, stdout: help, stderr } = await runCommand([...path, '--help']);
  expect({ code, stderr }, path.join(' ')).toEqual({ code: 0, stderr: '' });
  const [, list] = help.split('\nCommands:\n');
  const names = [...(list ?? '').matchAll(/^ {2}([a-z][a-z-]*)/gm)].map(([, name = '']) => name);
  const inner = await Promise.all(
    names.filter((name) => name !== 'help').map((name) => listCommands([...path, name])),
  );
  const name = path.join(' ');
  return [...(list === undefined || name in complete ? [{ name, help }] : []), ...inner.flat()];
}

const run = (name: string, ...args: readonly string[]) => runCommand([...name.split(' '), ...args]);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-exit-codes-'));
  await writeFile(scheduleFile, JSON.stringify(schedule));
  const migrated = await run('migrate', '--data', data());
  expect(migrated.code, migrated.stderr).toBe(0);
  commands = await listCommands([]);
}, 120_000);
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await rm(scheduleFile, { force: true });
});

describe('the exit code of every command', () => {
  it('is 0 for its help, and every command is walked here', () => {
    expect(commands.map(({ name }) => name).toSorted()).toEqual(Object.keys(complete).toSorted());
  });

  it('is 2 for an option that there is not', async () => {
    for (const { name } of commands) {
      const ended = await run(name, ...(complete[name] ?? []), '--no-such-option');
      expect(ended, name).toMatchObject({ code: 2, stdout: '' });
    }
  });

  it('is 2 for a filter that is empty, which is named', async () => {
    for (const { name, help } of commands.filter((one) => !one.name.startsWith('keys '))) {
      for (const filter of filters.filter((one) => help.includes(`--${one} <`))) {
        const ended = await run(name, ...(complete[name] ?? []), `--${filter}`, ' ');
        expect(ended, `${name} --${filter}`).toMatchObject({ code: 2, stdout: '' });
        expect(ended.stderr, name).toContain(`--${filter}`);
        expect(ended.stderr, name).not.toMatch(apiWords);
      }
    }
  }, 120_000);

  it('is 2 without the reason that it requires, which its help says', async () => {
    for (const { name, help } of commands.filter((one) => one.help.includes('--reason <'))) {
      if (isWithoutReason(name)) continue;
      expect(help.replaceAll(/\s+/g, ' '), name).toMatch(/--reason <text> why \(required/);
      const args = (complete[name] ?? []).filter((arg) => !because.includes(arg));
      const ended = await run(name, ...args, '--data', data());
      expect(ended, name).toMatchObject({ code: 2, stdout: '' });
      expect(ended.stderr, name).toContain('--reason');
      expect(ended.stderr, name).not.toMatch(apiWords);
    }
  }, 120_000);

  it('is 1 where there is no data', async () => {
    const withData = commands.filter(({ name, help }) => help.includes('--data <') && !needNoData.has(name));
    expect(withData.length).toBeGreaterThan(20);
    for (const { name } of withData) {
      const ended = await run(name, ...(complete[name] ?? []), '--data', join(folder, 'nowhere'));
      expect(ended, name).toMatchObject({ code: 1, stdout: '' });
      expect(ended.stderr, name).toMatch(/^MILLRACE_[A-Z_]+: .*\nWhat to do: /);
      expect(ended.stderr, name).not.toMatch(apiWords);
    }
  }, 120_000);

  it.each([
    ['limits set', ['openai/gpt-5-mini', '--tokens', 'many', ...because], '--tokens'],
    ['erase', ['--dry-run'], 'a customer'],
    ['messages wait', [id, '--timeout', 'long'], '--timeout'],
    ['tail', ['--events', 'none'], '--events'],
  ] as const)('is 2 for %s %j', async (name, args, text) => {
    const ended = await run(name, ...args, '--data', data());
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toContain(text);
    expect(ended.stderr).toContain('--help');
    expect(ended.stderr).not.toMatch(apiWords);
  });

  it.each([
    ['messages show', [id]],
    ['dead-letters show', [id]],
    ['calls correct', [id, '--usage', 'text_output=1', '--dry-run']],
    ['keys revoke', [id]],
    ['resume', ['stage', 'x', ...because]],
  ] as const)('is 1 for %s of what is not there', async (name, args) => {
    const ended = await run(name, ...args, '--data', data());
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).not.toMatch(apiWords);
  });
});
