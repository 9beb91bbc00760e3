import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { packageRoot } from '../../src/kernel/package-root.ts';
import { builtCommand } from '../support/built-package.ts';

const home = mkdtempSync(join(tmpdir(), 'millrace-signals-'));
const program = join(home, 'program.mjs');
const children = new Set<number>();

/** An application as README shows it: one message, whose handler ends a moment after it was told to, or never. */
function programText(main: string): string {
  const at = (specifier: string): string =>
    JSON.stringify(pathToFileURL(join(packageRoot(), 'node_modules', specifier)).href);
  return `
    import { appendFileSync } from 'node:fs';
    import { z } from ${at('zod/index.js')};
    import { Stage, createMillraceApp, defineMessage, defineStage } from ${JSON.stringify(pathToFileURL(main).href)};
    const [dataDirectory, length] = process.argv.slice(2);
    const note = (line) => appendFileSync(dataDirectory + '.log', line + '\\n');
    const Work = defineMessage('work').version(1, z.object({}));
    class Worker {
      async handle() {
        const signalled = new Promise((resolve) => process.once('SIGTERM', resolve));
        note('begun');
        await signalled;
        await new Promise((resolve) => setTimeout(resolve, Number(length)));
        note('ended');
      }
    }
    Stage(defineStage('work', { consumes: Work.upTo(1) }))(Worker);
    const app = await createMillraceApp({ providers: [Worker], http: false, environment: {}, config: { dataDirectory } });
    await app.millrace.admit(Work.v1, {}, { origin: { team: 'blue', customer: 'acme', feature: 'shop' }, id: 'one' });
  `;
}

beforeAll(async () => {
  const command = await builtCommand();
  writeFileSync(program, programText(join(dirname(command), '..', 'millrace.js')));
}, 300_000);

afterAll(() => {
  for (const pid of children) process.kill(pid, 'SIGKILL');
  rmSync(home, { recursive: true, force: true });
});

function start(name: string, handlerMs: number) {
  const dataDirectory = join(home, name);
  const child = spawn(process.execPath, [program, dataDirectory, String(handlerMs)], { stdio: 'pipe' });
  const { pid } = child;
  if (pid === undefined) throw new Error('the program did not start');
  children.add(pid);
  let said = '';
  const hear = (text: string): void => {
    said += text;
  };
  child.stdout.setEncoding('utf8').on('data', hear);
  child.stderr.setEncoding('utf8').on('data', hear);
  const ended = once(child, 'exit').then(() => {
    children.delete(pid);
    return { code: child.exitCode, signal: child.signalCode };
  });
  return { child, ended, said: () => said, notes: () => notesOf(`${dataDirectory}.log`) };
}

function notesOf(file: string): readonly string[] {
  try {
    return readFileSync(file, 'utf8').trim().split('\n');
  } catch {
    // Nothing was noted yet.
    return [];
  }
}

it(
  'lets what runs end when its process is told to stop, and ends by itself',
  { timeout: 120_000 },
  async () => {
    const { child, ended, notes, said } = start('orderly', 500);
    await expect.poll(notes, { timeout: 90_000, message: said() }).toEqual(['begun']);
    child.kill('SIGTERM');
    expect(await ended).toEqual({ code: 0, signal: null });
    expect(notes()).toEqual(['begun', 'ended']);
  },
);

it('ends at once at a second signal', { timeout: 120_000 }, async () => {
  const { child, ended, notes, said } = start('hurried', 600_000);
  await expect.poll(notes, { timeout: 90_000 }).toEqual(['begun']);
  child.kill('SIGTERM');
  await expect.poll(said, { timeout: 20_000 }).toContain('stopping in order');
  child.kill('SIGTERM');
  expect(await ended).toEqual({ code: 143, signal: null });
  expect(notes()).toEqual(['begun']);
});
