import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { installationOf } from '../../src/host/command-installation.ts';
import {
  pauseListSchema,
  resumedPauseSchema,
  placedPauseSchema,
} from '../../src/capabilities/pauses/pause-documents.ts';
import { KeptLedger } from '../support/kept-ledger.ts';
import { LedgerHarness } from '../support/ledger-fixture.ts';
import { newHostDirectory } from '../support/migrated-columns.ts';
import { runCommand } from '../support/run-command.ts';

/* `millrace pause`, `resume` and `status` on the stores of an installation. */

let directory: string;
let ledger: KeptLedger;

const run = (...args: readonly string[]) => runCommand([...args, '--data', directory], {}, ledger);
const succeed = async (...args: readonly string[]) => {
  const ended = await run(...args);
  expect(ended.code, ended.stderr).toBe(0);
  return ended;
};

/** `millrace status`, which opens the installation by itself. */
const status = async (...args: readonly string[]) => {
  await ledger.close();
  return (await succeed('status', ...args)).stdout;
};

/** Work on the embedded ledger between two commands. */
const onLedger = async <Result>(work: (database: SqlDatabase) => Promise<Result>): Promise<Result> => {
  const { database } = await ledger.access();
  return await work(database);
};

beforeAll(async () => {
  directory = await newHostDirectory('millrace-holds-command-');
  ledger = new KeptLedger(installationOf({}, { data: directory }));
  await succeed('migrate');
});

beforeEach(() =>
  onLedger((database) => database.execute('truncate millrace.blocks, millrace.operator_actions')),
);

afterAll(async () => {
  await ledger.close();
  await rm(directory, { recursive: true, force: true });
});

describe('pause and resume', () => {
  it('place and end a pause with actor and reason, for the eye and as JSON, and leave an audit', async () => {
    const paused = await succeed(
      'pause',
      'model',
      'openai/gpt-5-mini',
      '--reason',
      'nonsense',
      '--actor',
      'ann',
    );
    expect(paused.stdout).toMatch(/^Paused: model openai\/gpt-5-mini \([0-9a-f-]{36}\)\.\n$/);
    expect(paused.stderr).toContain('is the name right?');
    const again = await succeed(
      'pause',
      'model',
      'openai/gpt-5-mini',
      '--reason',
      'now',
      '--abort',
      '--json',
    );
    const { pause, isNew } = placedPauseSchema.parse(JSON.parse(again.stdout));
    expect(isNew).toBe(false);
    expect(pause).toMatchObject({ aborts: true, reason: 'now' });
    expect(pause.actor).toMatch(/^cli:./);
    const resumed = await succeed('resume', 'model', 'openai/gpt-5-mini', '--reason', 'mended', '--json');
    expect(resumedPauseSchema.parse(JSON.parse(resumed.stdout))).toEqual({ pause });
    const audit = await onLedger((database) =>
      database.query({
        name: 'test.audit',
        text: 'select actor, action, target, reason from millrace.operator_actions order by at, id',
      }),
    );
    expect(audit.rows).toEqual([
      { actor: 'cli:ann', action: 'pauses.place', target: 'model openai/gpt-5-mini', reason: 'nonsense' },
      { actor: pause.actor, action: 'pauses.place', target: 'model openai/gpt-5-mini', reason: 'now' },
      { actor: pause.actor, action: 'pauses.resume', target: 'model openai/gpt-5-mini', reason: 'mended' },
    ]);
  });

  it.each([
    [['pause', 'planet', 'mars', '--reason', 'r'], 'scope'],
    [['pause', 'stage', '--reason', 'r'], 'value'],
    [['pause', 'all', 'of it', '--reason', 'r'], 'value'],
    [['pause', 'model', 'gpt-5', '--reason', 'r'], 'provider/model'],
    [['pause', 'all'], 'reason'],
    [['resume', 'all'], 'reason'],
    [['resume', 'stage', 'x', '--reason', 'r'], 'There is no pause on stage x', 1],
  ])('say what is wrong: %j', async (args, text, exitCode = 2) => {
    const { code, stderr, stdout } = await run(...args);
    expect(code).toBe(exitCode);
    expect(stderr).toContain(text);
    expect(stdout).toBe('');
  });

  it('need a scope', async () => {
    expect((await run('pause')).code).toBe(2);
  });
});

describe('pauses', () => {
  it('lists what is paused, for the eye and as JSON', async () => {
    expect((await succeed('pauses')).stdout).toBe('Nothing is paused.\n');
    await succeed('pause', 'stage', 'second', '--reason', 'sick', '--abort', '--actor', 'bob');
    expect((await succeed('pauses')).stdout).toMatch(/^stage second +\S+Z +cli:bob +0 +aborted +sick$/m);
    const { pauses } = pauseListSchema.strict().parse(JSON.parse((await succeed('pauses', '--json')).stdout));
    expect(pauses).toMatchObject([{ scope: 'stage', value: 'second', aborts: true, waiting: 0 }]);
  });
});

describe('status', () => {
  it('shows what is paused, by whom, why, how many wait, and whether everything is drained', async () => {
    expect(await status()).not.toContain('paused');
    await onLedger(async (database) => {
      const harness = await LedgerHarness.begin(database);
      await harness.admitted();
      await harness.leased(await harness.admitted());
    });
    await succeed('pause', 'all', '--reason', 'the budget is gone', '--actor', 'ann');
    await succeed('pause', 'stage', 'second', '--reason', 'sick', '--abort', '--actor', 'bob');
    const draining = await status();
    expect(draining).toMatch(/^all +\d{4}-\S+Z +cli:ann +1 +ends +the budget is gone$/m);
    expect(draining).toMatch(/^stage second +\S+ +cli:bob +0 +aborted +sick$/m);
    expect(draining).toContain('Draining: 1 message is still being worked on.');
    await onLedger(async (database) => {
      await database.execute(`update millrace.messages set state = 'pending', lease_until = null, parked_for = 'pause:gone', sweep_at = 'infinity'
        where state = 'leased'`);
    });
    const drained = await status();
    expect(drained).toContain('Drained: nothing is being worked on.');
    expect(drained).toContain('Messages put aside: 1 for a pause');
    const json = JSON.parse(await status('--json')) as { parked: unknown };
    expect(pauseListSchema.parse(json).pauses.map(({ scope }) => scope)).toEqual(['all', 'stage']);
    expect(json.parked).toEqual({ pause: 1 });
  });
});
