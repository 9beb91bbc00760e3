import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SimulatorBill } from '../../src/simulator/bill.ts';
import { attoOfUsd, usdOfAtto } from '../../src/simulator/simulator-prices.ts';

const program = fileURLToPath(new URL('../../src/simulator/simulator-process.ts', import.meta.url));

interface Running {
  readonly url: string;
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
}

let directory: string;
const children: Running['child'][] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-simulator-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await rm(directory, { recursive: true });
});

function launch(...more: string[]): Running['child'] {
  const child = spawn(process.execPath, [program, '--data', directory, ...more], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  return child;
}

async function start(config: object = { latency: { medianMs: 0 } }): Promise<Running> {
  const file = join(directory, 'config.json');
  await writeFile(file, JSON.stringify(config));
  const child = launch('--port', '0', '--seed', '7', '--config', file);
  for await (const line of createInterface(child.stdout)) {
    const ready = JSON.parse(line) as { url: string; pid: number };
    expect(ready.pid).toBe(child.pid);
    return { url: ready.url, child };
  }
  throw new Error(`It ended: ${(await child.stderr.toArray()).join('')}`);
}

/** Asks once and resolves with the call's id when the whole answer came, or undefined when it broke. */
async function ask(url: string, callId: string, stream: boolean): Promise<string | undefined> {
  const messages = [{ role: 'user', content: `Say something about document ${callId}` }];
  try {
    const response = await fetch(`${url}/openai/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: 'Bearer k', 'x-millrace-call-id': callId },
      body: JSON.stringify({
        model: 'gpt-5-mini',
        messages,
        stream,
        stream_options: { include_usage: true },
      }),
    });
    const text = await response.text();
    return response.status === 200 && text.includes('prompt_tokens') ? callId : undefined;
  } catch {
    // The connection broke: the caller counts it as unanswered.
    return undefined;
  }
}

async function billOf(url: string): Promise<SimulatorBill> {
  return (await (await fetch(`${url}/_simulator/bill?entries=1`)).json()) as SimulatorBill;
}

/** Starts it, kills it amid 200 requests by 50 clients, and returns the calls that were answered in full. */
async function askUntilKilled(round: number): Promise<string[]> {
  const { url, child } = await start({ latency: { medianMs: 4, p99Ms: 30 } });
  const killed = once(child, 'exit');
  const answered: string[] = [];
  let ended = 0;
  const clients = Array.from({ length: 50 }, async (_, client) => {
    for (let turn = 0; turn < 4; turn += 1) {
      const callId = await ask(url, `call-${round}-${client}-${turn}`, turn % 2 === 0);
      if (callId !== undefined) answered.push(callId);
      ended += 1;
      if (ended === 8 + round * 15) child.kill('SIGKILL');
    }
  });
  await Promise.all(clients);
  await killed;
  return answered;
}

describe('the simulator as a process', () => {
  it('keeps every answered call on its bill through repeated SIGKILL', async () => {
    const answered: string[] = [];
    for (let round = 0; round < 4; round += 1) answered.push(...(await askUntilKilled(round)));
    await appendFile(join(directory, 'bill.jsonl'), '{"n":99999,"requestId":"req_to');

    const { url } = await start();
    const { entries = [], totalUsd, requests } = await billOf(url);
    const callIds = entries.map(({ callId }) => callId);
    expect(answered.length).toBeGreaterThan(20);
    expect(answered.filter((callId) => !callIds.includes(callId))).toEqual([]);
    expect(new Set(callIds).size).toBe(callIds.length);
    expect(requests).toBe(entries.length);
    expect(totalUsd).toBe(usdOfAtto(entries.reduce((sum, { costUsd }) => sum + attoOfUsd(costUsd), 0n)));

    expect(await ask(url, 'after', false)).toBe('after');
    const later = await billOf(url);
    expect(later.requests).toBe(requests + 1);
    expect(later.entries?.at(-1)).toMatchObject({ callId: 'after' });
  });

  it('gives the same answers after a restart', async () => {
    const texts: string[] = [];
    for (let round = 0; round < 2; round += 1) {
      const { url, child } = await start();
      const response = await fetch(`${url}/anthropic/v1/messages`, {
        method: 'POST',
        headers: { 'x-api-key': 'k', 'anthropic-version': '2023-06-01' },
        body: JSON.stringify({
          model: 'claude-opus-4-5',
          max_tokens: 500,
          messages: [{ role: 'user', content: 'Hello, miller' }],
        }),
      });
      const { content, usage } = (await response.json()) as { content: unknown; usage: unknown };
      texts.push(JSON.stringify({ content, usage }));
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    expect(texts[0]).toBe(texts[1]);
  });

  it('ends by itself on SIGTERM, with clients still hanging on', async () => {
    const { url, child } = await start({ rules: [{ fault: 'hang_billed' }] });
    const hanging = ask(url, 'hanging', false);
    await expect.poll(async () => (await billOf(url)).requests).toBe(1);
    child.kill('SIGTERM');
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    expect([code, signal]).toEqual([0, null]);
    expect(await hanging).toBeUndefined();
    expect((await readFile(join(directory, 'bill.jsonl'), 'utf8')).split('\n')).toHaveLength(2);
  });

  it('ends with its parent, and on SIGTERM though the parent still holds its standard input', async () => {
    const begin = async () => {
      const child = spawn(process.execPath, [program, '--port', '0', '--exit-with-parent'], {
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      await once(child.stdout, 'data');
      return child;
    };
    const [terminated, orphaned] = [await begin(), await begin()];
    terminated.kill('SIGTERM');
    expect(await once(terminated, 'exit')).toEqual([0, null]);
    orphaned.stdin.end();
    expect(await once(orphaned, 'exit')).toEqual([0, null]);
  });

  it('refuses a wrong configuration and names what is wrong', async () => {
    const child = launch('--port', '99999999');
    const [[code], stderr] = await Promise.all([
      once(child, 'exit') as Promise<[number]>,
      child.stderr.toArray(),
    ]);
    expect(code).toBe(1);
    expect(stderr.join('')).toContain('port');
  });

  it('answers many requests at once without losing a line', async () => {
    const { url } = await start();
    const calls = Array.from({ length: 1000 }, (_, index) => ask(url, `many-${index}`, false));
    const done = await Promise.all(calls);
    expect(done.filter((callId) => callId === undefined)).toEqual([]);
    const { entries = [] } = await billOf(url);
    expect(new Set(entries.map(({ callId }) => callId)).size).toBe(1000);
    expect(entries.map(({ n }) => n)).toEqual(Array.from({ length: 1000 }, (_, index) => index));
  });
});
