import { rm, writeFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { batchDocumentSchema } from '../../src/capabilities/batches/batch-document.ts';
import { batchEstimateSchema } from '../../src/capabilities/batches/intake/estimate-document.ts';
import { runCommandLine } from '../../src/cli/command-line.ts';
import { installationOf } from '../../src/host/command-installation.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { tickets } from '../support/batch-intake-fixture.ts';
import { CapturedOutput } from '../support/captured-output.ts';
import { KeptLedger } from '../support/kept-ledger.ts';
import { newHostDirectory } from '../support/migrated-columns.ts';
import { runBatchCommand } from '../support/run-batch-command.ts';
import { type CommandOutput, runCommand as runAlone } from '../support/run-command.ts';

/* `millrace batch` on an embedded installation that no host runs on. */

let directory: string;
let ledger: KeptLedger;

beforeAll(async () => {
  directory = await newHostDirectory('millrace-batch-command-');
  ledger = new KeptLedger(installationOf({}, { data: directory }));
  expect((await runCommand(['migrate', '--data', directory])).code).toBe(0);
});
afterAll(async () => {
  await ledger.close();
  await rm(directory, { recursive: true, force: true });
});
beforeEach(() => change('delete from millrace.batches'));

async function change(statement: string): Promise<void> {
  const { database } = await ledger.access();
  await database.execute(statement);
}

/** Runs `millrace batch …` with the stages of the pipeline "support" as what --stages names. */
const batch = (...args: readonly string[]) => runBatchCommand(args, { directory, ledger });

/** Runs `millrace …` as a process of its own would. */
async function runCommand(args: readonly string[]): Promise<CommandOutput> {
  await ledger.close();
  return await runAlone(args);
}

const who = ['--pipeline', 'support', '--team', 'blue', '--customer', 'acme', '--feature', 'search'];
const stages = ['--stages', 'stages.js'];

async function fileOf(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, content);
  return path;
}

const jsonl = (items: readonly unknown[]): string =>
  items.map((item) => `${JSON.stringify(item)}\n`).join('');

describe('millrace batch submit', () => {
  it('checks the items, says what they may cost, and starts them; submitted again, it shows the batch', async () => {
    const file = await fileOf('nightly.jsonl', jsonl(tickets(600)));
    const first = await batch('submit', file, ...who, ...stages, '--deadline', '6h', '--threshold', '95');
    expect(first.code, first.stderr).toBe(0);
    expect(first.stdout).toContain('600 items, ');
    expect(first.stdout).toContain('Nothing is known of what such items cost.');
    expect(first.stdout).toMatch(/openai\/gpt-5-mini +\d/);
    expect(first.stdout).toMatch(/batch +nightly \(/);
    expect(first.stdout).toMatch(/state +running/);
    expect(first.stdout).toMatch(/items +600 in 3 chunks: 0 succeeded, 600 open/);
    const again = await batch(
      'submit',
      file,
      ...who,
      ...stages,
      '--deadline',
      '6h',
      '--threshold',
      '95',
      '--json',
    );
    expect(again.code).toBe(0);
    expect(again.stderr).toContain('was submitted before');
    expect(batchDocumentSchema.parse(JSON.parse(again.stdout))).toMatchObject({
      name: 'nightly',
      state: 'running',
    });
  });

  it('refuses another request or input under the name of a batch, and says what differs', async () => {
    const file = await fileOf('used.jsonl', jsonl(tickets(3)));
    const submit = ['submit', file, ...who, ...stages, '--deadline', '6h'];
    await batch(...submit);
    const exists = (what: RegExp) => ({
      code: 'MILLRACE_BATCH_EXISTS',
      message: expect.stringMatching(what) as unknown,
      todo: expect.stringContaining('--name') as unknown,
    });
    await expect(batch(...submit, '--customer', 'other', '--threshold', '90')).rejects.toMatchObject(
      exists(/differently: customer, threshold\.$/),
    );
    await expect(batch(...submit, '--deadline', '7h')).rejects.toMatchObject(exists(/deadline/));
    await fileOf('used.jsonl', jsonl(tickets(2)));
    await expect(batch(...submit)).rejects.toMatchObject(exists(/"used" already .* another input\.$/));
    const dry = await batch(...submit, '--customer', 'other', '--dry-run', '--json');
    expect(batchEstimateSchema.parse(JSON.parse(dry.stdout))).toMatchObject({ items: 2 });
    expect(dry.stderr).toContain('There is a batch of this name (running); it is as it was');
    await fileOf('used.jsonl', jsonl(tickets(3)));
    const again = await batch(...submit);
    expect([again.code, again.stderr]).toEqual([0, expect.stringContaining('was submitted before')]);
  });

  it('names every faulty line, and leaves nothing behind', async () => {
    const file = await fileOf('faulty.jsonl', `${jsonl(tickets(2))}{"data":{}}\nnope\n`);
    const { code, stdout, stderr } = await batch('submit', file, ...who, ...stages);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(
      /^line 3, data\.subject: .*\nline 4: is not JSON: .*\nMILLRACE_BATCH_INPUT_INVALID: The input has 2 faults\. Nothing was started\.\n$/,
    );
    expect((await batch('list')).stdout).toBe('There are no such batches.\n');
    const skipping = await batch('submit', file, ...who, ...stages, '--skip-invalid');
    expect(skipping.code, skipping.stderr).toBe(0);
    expect(skipping.stderr).toContain('2 items are left out.');
    expect(skipping.stdout).toMatch(/4 in 1 chunk: 0 succeeded, 2 skipped, 2 open/);
  });

  it('starts and leaves nothing with --dry-run', async () => {
    const file = await fileOf('dry.csv.gz', gzipSync('id,subject\n1,"a, b"\n2,c\n'));
    const dry = await batch(
      'submit',
      file,
      ...who,
      ...stages,
      '--id-column',
      'id',
      '--omit',
      'id',
      '--dry-run',
      '--json',
    );
    expect(dry.code, dry.stderr).toBe(0);
    expect(batchEstimateSchema.parse(JSON.parse(dry.stdout))).toMatchObject({ items: 2, basis: 'none' });
    expect(dry.stderr).toContain('nothing is left of the dry run');
    expect((await batch('list')).stdout).toBe('There are no such batches.\n');
  });

  it('leaves a batch that waits under the name as it is with --dry-run', async () => {
    const file = await fileOf('waiting.jsonl', jsonl(tickets(5)));
    await batch('submit', file, ...who, ...stages);
    await change(`update millrace.batches set state = 'receiving', started_at = null`);
    const before = await batch('show', 'waiting', '--json');
    await fileOf('waiting.jsonl', jsonl(tickets(2)));
    const dry = await batch('submit', file, ...who, ...stages, '--dry-run', '--json');
    expect(batchEstimateSchema.parse(JSON.parse(dry.stdout))).toMatchObject({ items: 2 });
    expect(dry.stderr).toContain('it is as it was');
    expect((await batch('show', 'waiting', '--json')).stdout).toBe(before.stdout);
    expect((await batch('items', 'waiting', '--limit', '9')).stdout).toContain('t-5');
    await fileOf('waiting.jsonl', 'nope\n');
    expect((await batch('submit', file, ...who, ...stages, '--dry-run')).code).toBe(1);
    expect(
      (await batch('list')).stdout.split('\n').filter((line) => line.includes('receiving')),
    ).toHaveLength(1);
  });

  it('prices by what operators have set, as hosts do', async () => {
    const file = await fileOf('priced.jsonl', jsonl(tickets(10)));
    const bound = async (): Promise<number> => {
      const { stdout } = await batch('submit', file, ...who, ...stages, '--dry-run', '--json');
      const { upperBounds } = batchEstimateSchema.parse(JSON.parse(stdout));
      return Number(upperBounds?.find(({ model }) => model === 'openai/gpt-5-mini')?.totalUsd);
    };
    const listed = await bound();
    const rates = ['--rate', 'uncached_input=20000', '--rate', 'text_output=20000'];
    const set = ['prices', 'set', 'openai/gpt-5-mini', ...rates, '--reason', 'a test', '--data', directory];
    expect((await runCommand(set)).code).toBe(0);
    expect(await bound()).toBeGreaterThan(listed * 1000);
  });

  it('works without the stages where the type is named', async () => {
    const file = await fileOf('unchecked.jsonl', jsonl([{ data: 1 }]));
    await expect(batch('submit', file, ...who)).rejects.toMatchObject({
      code: 'MILLRACE_BATCH_TYPE_UNCLEAR',
    });
    const named = await batch('submit', file, ...who, '--type', 'ticket.opened', '--name', 'by hand');
    expect(named.code, named.stderr).toBe(0);
    expect(named.stdout).toMatch(/batch +by hand/);
  });

  it('refuses what cannot be read, or has a format that nobody says', async () => {
    const odd = await fileOf('items.txt', '');
    await expect(batch('submit', odd, ...who, ...stages)).rejects.toThrow(
      /format: is one of jsonl, csv, parquet/,
    );
    await expect(batch('submit', join(directory, 'none.jsonl'), ...who, ...stages)).rejects.toThrow(
      /cannot be read/,
    );
    const empty = await fileOf('empty.jsonl', '\n');
    const refused = await batch('submit', empty, ...who, ...stages);
    expect([refused.code, refused.stderr.split('\n')[0]]).toEqual([1, 'input: has no items']);
  });
});

describe('millrace batch', () => {
  it('lists, shows and steers batches', async () => {
    const file = await fileOf('steered.jsonl', jsonl(tickets(600)));
    await batch('submit', file, ...who, ...stages);
    expect((await batch('list', '--state', 'running')).stdout).toMatch(
      /steered +blue +support +running +600 /,
    );
    expect((await batch('show', 'steered')).stdout).toMatch(/chunks +1–3 waiting/);
    await change(`update millrace.batch_chunks set state = 'running', ended = 249 where chunk = 1`);
    const paused = await batch('pause', 'steered', '--reason', 'to look');
    expect(paused.stdout).toMatch(/state +paused/);
    expect(paused.stderr).toContain(
      '1 item was begun and runs to its end. To stop their messages too: millrace pause batch "steered"',
    );
    const changed = await batch(
      'change',
      'steered',
      '--priority',
      '5',
      '--deadline',
      '2d',
      '--reason',
      'urgent',
      '--json',
    );
    expect(batchDocumentSchema.parse(JSON.parse(changed.stdout))).toMatchObject({
      priority: 5,
      state: 'paused',
    });
    expect((await batch('resume', 'steered', '--reason', 'fine')).stdout).toMatch(/state +running/);
    expect((await batch('items', 'steered', '--limit', '1')).stdout).toMatch(
      /1 +t-1 +waiting[^]*There are more: --after 1/,
    );
    expect((await batch('output', 'steered', '--partial')).stdout).toBe('');
    await expect(batch('output', 'steered')).rejects.toMatchObject({ code: 'MILLRACE_BATCH_STATE' });
    const parquet = join(directory, 'steered.parquet');
    const written = ['output', 'steered', '--partial', '--format', 'parquet', '--output', parquet];
    await batch(...written);
    expect(String(await readFile(parquet))).toMatch(/^PAR1[^]*PAR1$/);
    await expect(batch(...written)).rejects.toMatchObject({ code: 'MILLRACE_REQUEST_INVALID' });
    await batch(...written, '--force');
    expect((await batch('failed', 'steered')).stdout).toBe('');
    expect((await batch('cancel', 'steered', '--reason', 'enough')).stdout).toMatch(/state +cancelling/);
    await expect(batch('show', 'nothing')).rejects.toMatchObject({ code: 'MILLRACE_BATCH_NOT_FOUND' });
  });

  it('ends quietly when nobody reads its output any more, and says what else is wrong with it', async () => {
    await batch('submit', await fileOf('piped.jsonl', jsonl(tickets(3))), ...who, ...stages);
    await ledger.close();
    const into = async (code: string, ...args: readonly string[]) => {
      const failure = Object.assign(new Error(`write ${code}`), { code });
      const stdout = new Writable({ write: (_chunk, _encoding, done) => done(failure) });
      const stderr = new CapturedOutput();
      const surroundings = { environment: {}, stdout, stderr, clock: systemClock };
      return [
        await runCommandLine(['batch', ...args, '--data', directory], surroundings),
        stderr.text.split('\n')[0],
      ];
    };
    const output = ['output', 'piped', '--partial', '--format', 'parquet'];
    expect(await into('EPIPE', 'list')).toEqual([0, '']);
    expect(await into('EPIPE', ...output)).toEqual([0, '']);
    expect(await into('ENOSPC', ...output)).toEqual([1, 'Unexpected error: write ENOSPC']);
  });

  it('says of a file that cannot be written by which option, and why', async () => {
    await batch('submit', await fileOf('written.jsonl', jsonl(tickets(1))), ...who, ...stages);
    const nowhere = join(directory, 'no', 'folder');
    for (const [option, ...args] of [
      ['--html', 'report', 'written'],
      ['--output', 'output', 'written', '--partial'],
    ] as const) {
      const command = ['batch', ...args, option, nowhere, '--data', directory, '--verbose'];
      const { code, stderr } = await runCommand(command);
      expect([code, stderr.split('\n')[0]]).toEqual([
        2,
        `MILLRACE_REQUEST_INVALID: ${option}: ${nowhere} cannot be written: there is no such folder; name a file that can`,
      ]);
      expect(stderr).toMatch(/\n +at /);
      const again = await runCommand(['batch', ...args, option, directory, '--data', directory]);
      expect(again.stderr).toContain(`${option}: is there already`);
      const forced = await runCommand(['batch', ...args, option, directory, '--force', '--data', directory]);
      expect(forced.stderr).toContain(`${option}: ${directory} cannot be written: it is a folder;`);
    }
  });

  it('estimates, starts and discards what the API has made', async () => {
    const file = await fileOf('made.jsonl', jsonl(tickets(3)));
    await batch('submit', file, ...who, ...stages);
    await change(`update millrace.batches set state = 'receiving', started_at = null`);
    expect((await batch('estimate', 'made')).stdout).toContain('3 items, ');
    expect((await batch('start', 'made', '--team', 'blue')).stdout).toMatch(/state +running/);
    await change(`update millrace.batches set state = 'receiving', started_at = null`);
    await expect(batch('discard', 'made', '--team', 'red')).rejects.toMatchObject({
      code: 'MILLRACE_BATCH_NOT_FOUND',
    });
    expect((await batch('discard', 'made')).stdout).toContain('Its name is free again.');
  });

  it('waits for the end of a batch with --wait, and tells by its exit code how it ended', async () => {
    const file = await fileOf('waited.jsonl', jsonl(tickets(3)));
    await batch('submit', file, ...who, ...stages);
    await change(`update millrace.batches set state = 'failed', failed = 3, ended_at = clock_timestamp()`);
    const failed = await batch('submit', file, ...who, ...stages, '--wait');
    expect([failed.code, failed.stderr.split('\n').at(-3)]).toEqual([
      1,
      '[████████████████████] failed, 3/3 items, 3 failed, 0.000000 USD',
    ]);
    expect(failed.stderr).toContain('run again with: millrace batch retry "waited" --team "blue"');
    // Without --wait too: nothing was run, and nothing will be.
    expect((await batch('submit', file, ...who, ...stages)).code).toBe(1);
    await change(`update millrace.batches set state = 'succeeded', failed = 0, succeeded = 3`);
    expect((await batch('submit', file, ...who, ...stages, '--wait')).code).toBe(0);
  });

  it('does not wait with --wait where no host can work on the batch, and submits nothing then', async () => {
    const file = await fileOf('alone.jsonl', jsonl(tickets(3)));
    const noHost = {
      code: 'MILLRACE_BATCH_NO_HOST',
      todo: expect.stringContaining('millrace start') as unknown,
    };
    await expect(batch('submit', file, ...who, ...stages, '--wait')).rejects.toMatchObject(noHost);
    expect((await batch('list')).stdout).toBe('There are no such batches.\n');
    await batch('submit', file, ...who, ...stages);
    await expect(batch('submit', file, ...who, ...stages, '--wait')).rejects.toMatchObject(noHost);
    expect((await batch('show', 'alone')).stdout).toMatch(/state +running/);
  });

  it('says that the batch goes on when waiting for it is interrupted', async () => {
    const file = await fileOf('interrupted.jsonl', jsonl(tickets(1)));
    const bars = new CapturedOutput();
    const waiting = runBatchCommand(['submit', file, ...who, ...stages, '--wait'], {
      directory,
      ledger,
      stderr: bars,
      isAlone: false,
    });
    await expect.poll(() => bars.text).toContain('running, 0/1 item,');
    process.emit('SIGINT', 'SIGINT');
    const { code, stderr } = await waiting;
    expect([code, stderr.split('\n').at(-2)]).toEqual([
      130,
      'The batch goes on. See how far it is: millrace batch show "interrupted" --team "blue".',
    ]);
    expect((await batch('show', 'interrupted')).stdout).toMatch(/items +1 in 1 chunk: /);
  });

  it('names what is wrong with a command line in the words of the command line', async () => {
    const wrong = async (...args: readonly string[]) => (await runCommand(['batch', ...args])).stderr;
    const unknown = await wrong('submit', 'x.jsonl', '--pipline', 'support');
    expect(unknown).toMatch(/^error: unknown option '--pipline'\n\(Did you mean --pipeline\?\)/);
    expect(await wrong('submit', 'x.jsonl')).toMatch(/^error: required option '--pipeline <name>'/);
    expect(await wrong('pause', 'x')).toContain('--reason: says why\n');
    expect(await wrong('submit', directory, ...who)).toContain('<file>: is a directory: ');
    const nowhere = await wrong(
      'submit',
      await fileOf('bare.jsonl', '{"subject":"a"}\n'),
      ...who,
      '--data',
      'no',
    );
    expect(nowhere).toMatch(/^MILLRACE_DATA_NOT_FOUND: [^]*"millrace start" makes the ledger/);
    const bare = await batch('submit', join(directory, 'bare.jsonl'), ...who, ...stages);
    expect(bare.stderr).toContain('say --form bare\n');
    await batch('submit', join(directory, 'bare.jsonl'), ...who, ...stages, '--form', 'bare');
    expect(await wrong('output', 'bare', '--data', directory)).toContain(
      'has ended so far with --partial.\n',
    );
  });

  it('runs what is submitted under the name of a batch whose discard broke off', async () => {
    const file = await fileOf('left.jsonl', jsonl(tickets(3)));
    await batch('submit', file, ...who, ...stages);
    await change(`update millrace.batches set state = 'cancelled', started_at = null, ended_at = clock_timestamp(),
      removing_at = clock_timestamp()`);
    const again = await batch('submit', file, ...who, ...stages);
    expect([again.code, again.stderr]).toEqual([0, '']);
    expect(again.stdout).toMatch(/state +running/);
  });

  it('shows what it does and how in its help', async () => {
    const { code, stdout } = await runCommand(['batch', 'submit', '--help']);
    expect(code).toBe(0);
    for (const word of ['--dry-run', '--wait', '--stages', '--deadline', '--skip-invalid'])
      expect(stdout).toContain(word);
  });
});
