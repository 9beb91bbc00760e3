import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockDirectory } from '../../src/drivers/sql-database/directory-lock.ts';
import { PgliteSqlDatabase } from '../../src/drivers/sql-database/sql-database.pglite.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'millrace-data-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

describe('PGlite on disk', () => {
  it('keeps every acknowledged row through repeated SIGKILL of its process', async () => {
    let acknowledged = 0;
    for (const rowsBeforeKill of [1, 40, 333]) {
      acknowledged += await writeAndKill(home, rowsBeforeKill);
      const database = await PgliteSqlDatabase.open({ dataDirectory: home });
      const { rows } = await database.query<{ count: string }>({
        name: 'test.count',
        text: 'select count(*) as count from kept where length(text) = 2000',
      });
      await database.close();
      const kept = Number(rows[0]?.count);
      // One more may have been committed for each kill, whose acknowledgement was not read.
      expect(kept).toBeGreaterThanOrEqual(acknowledged);
      acknowledged = kept;
    }
  });

  it('turns away a second process, and names the first', async () => {
    const writer = startWriter(home);
    try {
      await firstLine(writer);
      await expect(PgliteSqlDatabase.open({ dataDirectory: home })).rejects.toMatchObject({
        code: 'MILLRACE_DATA_IN_USE',
        message: expect.stringContaining(`process ${writer.pid}`) as string,
      });
    } finally {
      await kill(writer);
    }
  });

  it('turns away a second opening in the same process, until the first is closed', async () => {
    const first = await PgliteSqlDatabase.open({ dataDirectory: home });
    await first.execute('create table kept (id int)');
    await expect(PgliteSqlDatabase.open({ dataDirectory: home })).rejects.toMatchObject({
      code: 'MILLRACE_DATA_IN_USE',
    });
    await first.close();
    const second = await PgliteSqlDatabase.open({ dataDirectory: home });
    expect((await second.query({ name: 'test.kept', text: 'select * from kept' })).rows).toEqual([]);
    await second.close();
  });
});

describe('the upkeep of PGlite', () => {
  it('bounds its log and the rows that updates leave behind, as a server does by itself', async () => {
    const database = await PgliteSqlDatabase.open({ dataDirectory: home });
    await database.execute('create table worn (id int primary key, count int not null, text text not null)');
    await database.execute(
      `insert into worn select id, 0, repeat('x', 1000) from generate_series(1, 1000) as id`,
    );
    const touch = {
      name: 'test.touch',
      text: 'update worn set count = count + 1 where id between $1 and $2',
    };
    for (let round = 0; round < 1000; round += 1) {
      const first = 1 + ((round * 100) % 1000);
      await database.query(touch, [first, first + 99]);
    }
    const { rows } = await database.query<{ bytes: string; touched: string; log_files: string }>({
      name: 'test.size',
      text: `select pg_relation_size('worn') as bytes, (select sum(count) from worn) as touched,
                    (select count(*) from pg_ls_waldir()) as log_files`,
    });
    // 100,000 dead rows of a kilobyte would be 100 MB, and as much log twice over.
    expect(rows[0]?.touched).toBe('100000');
    expect(Number(rows[0]?.bytes)).toBeLessThan(40_000_000);
    expect(Number(rows[0]?.log_files)).toBeLessThan(12);
    await database.close();
  });
});

describe('the lock of a data directory', () => {
  it('takes over the claim of a process that is gone', async () => {
    const gone = spawn(process.execPath, ['-e', '']);
    await new Promise((resolve) => gone.once('exit', resolve));
    writeFileSync(join(home, `claim.${gone.pid}.123`), '');
    const release = lockDirectory(home);
    expect(readdirSync(home)).toHaveLength(1);
    release();
    expect(readdirSync(home)).toEqual([]);
  });

  it('takes over the claim of a process whose id another one has now', () => {
    // The parent lives, but it did not start at tick 1.
    writeFileSync(join(home, `claim.${process.ppid}.1`), '');
    lockDirectory(home)();
    expect(readdirSync(home)).toEqual([]);
  });

  it('takes over the claim of a process that has ended and whose parent has not noticed', async () => {
    // The child ends when sleep has replaced the shell, which would notice its end; sleep never asks for it.
    const script = `shell=$$
      until [ "$(cat /proc/$shell/comm)" = sleep ]; do :; done &
      echo $!
      exec sleep 60`;
    const parent = spawn('sh', ['-c', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const pid = await new Promise<string>((resolve) => linesOf(parent).once('line', resolve));
      await expect.poll(() => readFileSync(`/proc/${pid}/stat`, 'utf8')).toContain(') Z ');
      writeFileSync(join(home, `claim.${pid}.0`), '');
      lockDirectory(home)();
    } finally {
      await kill(parent);
    }
  });

  it('respects the claim of a living process, and leaves none of its own', () => {
    writeFileSync(join(home, `claim.${process.ppid}.0`), '');
    expect(() => lockDirectory(home)).toThrow(`process ${process.ppid}`);
    expect(readdirSync(home)).toEqual([`claim.${process.ppid}.0`]);
  });

  it('ignores files that are not claims', () => {
    mkdirSync(join(home, 'pgdata'));
    writeFileSync(join(home, 'claim.notes'), '');
    lockDirectory(home)();
    expect(readdirSync(home).toSorted()).toEqual(['claim.notes', 'pgdata']);
  });
});

function startWriter(directory: string): ChildProcess {
  const script = join(import.meta.dirname, '..', 'support', 'pglite-writer.ts');
  return spawn(process.execPath, [script, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function writeAndKill(directory: string, rowsBeforeKill: number): Promise<number> {
  const writer = startWriter(directory);
  const ended = new Promise((resolve) => writer.once('exit', resolve));
  let acknowledged = 0;
  for await (const line of linesOf(writer)) {
    expect(line).toMatch(/^\d+$/);
    acknowledged += 1;
    if (acknowledged === rowsBeforeKill) writer.kill('SIGKILL');
  }
  await ended;
  return acknowledged;
}

async function firstLine(writer: ChildProcess): Promise<void> {
  const lines = linesOf(writer);
  await new Promise((resolve) => lines.once('line', resolve));
}

function linesOf(writer: ChildProcess): ReturnType<typeof createInterface> {
  if (writer.stdout === null) throw new Error('the writer has no output');
  return createInterface({ input: writer.stdout });
}

async function kill(writer: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => writer.once('exit', resolve));
  writer.kill('SIGKILL');
  await ended;
}
