import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/kernel/package-root.ts';
import { builtCommand } from '../support/built-package.ts';
import { fillHostDirectory } from '../support/migrated-columns.ts';
import { shortRunFlags } from '../support/short-run-flags.ts';
import { runCommand } from '../support/run-command.ts';

const home = mkdtempSync(join(tmpdir(), 'millrace-signals-'));
const program = join(home, 'program.mjs');
const streamingProgram = join(home, 'streaming.mjs');
const children = new Set<number>();

const at = (specifier: string): string =>
  JSON.stringify(pathToFileURL(join(packageRoot(), 'node_modules', specifier)).href);

/** An application whose one message asks a model for a stream. */
function streamingText(main: string): string {
  return `
    import { z } from ${at('zod/index.js')};
    import { streamText } from ${at('ai/dist/index.js')};
    import { Stage, createMillraceApp, defineMessage, defineStage } from ${JSON.stringify(pathToFileURL(main).href)};
    const [dataDirectory, baseUrl, graceMs] = process.argv.slice(2);
    const Work = defineMessage('work').version(1, z.object({}));
    class Worker {
      async handle(message, ctx) {
        const model = ctx.model('slow/gpt-5-mini', { step: 'tell' });
        const { textStream } = streamText({ model, prompt: 'Tell me.', maxOutputTokens: 200, abortSignal: ctx.signal, onError: () => {} });
        let text = '';
        for await (const part of textStream) text += part;
        return text;
      }
    }
    Stage(defineStage('work', { consumes: Work.upTo(1) }))(Worker);
    const app = await createMillraceApp({
      providers: [Worker],
      http: false,
      environment: {},
      config: {
        dataDirectory,
        shutdownGraceMs: Number(graceMs),
        models: { providers: { slow: { kind: 'openai-compatible', baseUrl, priceProvider: 'openai' } } },
      },
    });
    await app.millrace.admit(Work.v1, {}, { origin: { team: 'blue', customer: 'acme', feature: 'shop' }, id: 'one' });
  `;
}

/** An application as README shows it: one message, whose handler ends a moment after it was told to, or never. */
function programText(main: string): string {
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
  const main = join(dirname(command), '..', 'millrace.js');
  writeFileSync(program, programText(main));
  writeFileSync(streamingProgram, streamingText(main));
}, 300_000);

afterAll(() => {
  for (const pid of children) process.kill(pid, 'SIGKILL');
  rmSync(home, { recursive: true, force: true });
});

const start = async (name: string, handlerMs: number) => await startProgram(program, name, String(handlerMs));

async function startProgram(file: string, name: string, ...more: readonly string[]) {
  const dataDirectory = join(home, name);
  await fillHostDirectory(dataDirectory);
  const child = spawn(process.execPath, [...shortRunFlags, file, dataDirectory, ...more], { stdio: 'pipe' });
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
  return { child, dataDirectory, ended, said: () => said, notes: () => notesOf(`${dataDirectory}.log`) };
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
    const { child, ended, notes, said } = await start('orderly', 500);
    await expect.poll(notes, { timeout: 90_000, message: said() }).toEqual(['begun']);
    child.kill('SIGTERM');
    expect(await ended).toEqual({ code: 0, signal: null });
    expect(notes()).toEqual(['begun', 'ended']);
  },
);

it('ends at once at a second signal', { timeout: 120_000 }, async () => {
  const { child, ended, notes, said } = await start('hurried', 600_000);
  await expect.poll(notes, { timeout: 90_000 }).toEqual(['begun']);
  child.kill('SIGTERM');
  await expect.poll(said, { timeout: 60_000 }).toContain('stopping in order');
  child.kill('SIGTERM');
  // By the signal itself: a shell says 143.
  expect(await ended).toEqual({ code: null, signal: 'SIGTERM' });
  expect(notes()).toEqual(['begun']);
});

describe('in the middle of a stream of a model', () => {
  /** A provider that sends one part of its answer and then waits to be told. */
  async function slowProvider() {
    const asked = Promise.withResolvers<ServerResponse>();
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      send(response, { choices: [{ index: 0, delta: { role: 'assistant', content: 'Once' } }] });
      asked.resolve(response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    return { baseUrl: `http://127.0.0.1:${port}/v1`, asked: asked.promise, server };
  }

  const send = (response: ServerResponse, part: Readonly<Record<string, unknown>>): void => {
    const chunk = { id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'gpt-5-mini', ...part };
    response.write(`data: ${JSON.stringify(chunk)}\n\n`);
  };

  const statusOf = async (dataDirectory: string) => {
    const { code, stdout } = await runCommand(['status', '--data', dataDirectory, '--json']);
    expect(code).toBe(0);
    const { calls, messages } = JSON.parse(stdout) as Record<'calls' | 'messages', Record<string, unknown>>;
    return { calls, messages };
  };

  it('lets the answer end, and settles its call', { timeout: 120_000 }, async () => {
    const provider = await slowProvider();
    const { child, dataDirectory, ended, said } = await startProgram(
      streamingProgram,
      'stream',
      provider.baseUrl,
      '30000',
    );
    const response = await provider.asked;
    child.kill('SIGTERM');
    await expect.poll(said, { timeout: 60_000 }).toContain('stopping in order');
    send(response, { choices: [{ index: 0, delta: { content: ' upon a time' }, finish_reason: 'stop' }] });
    send(response, { choices: [], usage: { prompt_tokens: 10, completion_tokens: 4, total_tokens: 14 } });
    response.end('data: [DONE]\n\n');
    expect(await ended, said()).toEqual({ code: 0, signal: null });
    provider.server.close();
    const { calls, messages } = await statusOf(dataDirectory);
    expect(calls).toMatchObject({ calls: 1, reserved: 0, succeeded: 1, estimated: 0, unsettled: 0 });
    expect(messages).toMatchObject({ completed: 1, pending: 0, leased: 0 });
  });

  it(
    'cuts an answer that does not end in time, and settles what came of it',
    { timeout: 120_000 },
    async () => {
      const provider = await slowProvider();
      const { child, dataDirectory, ended, said } = await startProgram(
        streamingProgram,
        'cut',
        provider.baseUrl,
        '1000',
      );
      await provider.asked;
      child.kill('SIGTERM');
      expect(await ended, said()).toEqual({ code: 0, signal: null });
      provider.server.close();
      const { calls, messages } = await statusOf(dataDirectory);
      expect(calls).toMatchObject({ calls: 1, reserved: 0, failed: 1, estimated: 1, unsettled: 0 });
      expect(messages).toMatchObject({ completed: 0, pending: 1, leased: 0 });
    },
  );
});
