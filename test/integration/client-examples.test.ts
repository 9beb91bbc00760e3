import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundle } from '../support/bundle.ts';
import { documentedExample } from '../support/documented-example.ts';
import { canRun, curlPrograms, olderNode, pythonPrograms } from '../support/required-programs.ts';
import { openStoryHost, type StoryHost, WrittenModel } from '../support/story-host.ts';

/* The examples of docs/requests-client.md, each run as it stands there, against a host. */

const document = 'requests-client.md';
const client = join(import.meta.dirname, '..', '..', 'src', 'client.ts');
const story = 'Once upon a time.';

/** Tells the story whenever it is asked. */
class TellingModel extends WrittenModel {
  override async doStream(options: Parameters<WrittenModel['doStream']>[0]) {
    const begun = await super.doStream(options);
    const answer = this.answers.at(-1);
    for (const words of ['Once ', 'upon a time.']) answer?.write(words);
    answer?.finish();
    return begun;
  }
}

let running: StoryHost;
let directory: string;
let environment: Record<string, string>;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mr-examples-'));
  running = await openStoryHost({}, { model: new TellingModel() });
  environment = {
    MILLRACE_URL: running.url,
    MILLRACE_KEY: await running.newKey(['requests:read', 'requests:write']),
    PATH: '/usr/local/bin:/usr/bin:/bin',
  };
});
afterAll(async () => {
  await running.close();
  await rm(directory, { recursive: true, force: true });
});

async function run(program: string, args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(program, [...args], {
    env: environment,
    cwd: directory,
  });
  expect(stderr).toBe('');
  return stdout;
}

async function written(name: string, text: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, text);
  return path;
}

const expectTold = (output: string): void => {
  expect(output).toContain(`so far: ${story}`);
  expect(output).toMatch(/calls since the log began: 0\.\d+/);
  expect(output).toMatch(new RegExp(`result: ${story} cost: 0\\.\\d+`));
  expect(output).toContain(`again: { text: '${story}' }`);
};

describe('the example in TypeScript', () => {
  const example = documentedExample(document, 'typescript');

  it('runs', async () => {
    const program = example.replace('millrace/client', client);
    expectTold(await run(process.execPath, [await written('example.ts', program)]));
  });

  it.skipIf(!canRun(olderNode()))('runs in Node 20, with the client as one small module', async () => {
    const code = await bundle(client);
    const bytes = Buffer.byteLength(code);
    const zipped = gzipSync(code).length;
    // As the document says it.
    expect({ kB: Math.round(bytes / 1000), zipped: Math.round(zipped / 500) / 2 }).toEqual({
      kB: 14,
      zipped: 5.5,
    });
    expect(code).not.toMatch(/\bimport\b[^.]|\brequire\(|node:/);
    await written('client.mjs', code);
    const program = example.replace('millrace/client', './client.mjs').replaceAll('<{ text: string }>', '');
    const found = olderNode();
    if (found.kind === 'missing') throw new Error(found.reason);
    expectTold(await run(join(found.directory, 'node'), [await written('example.mjs', program)]));
  });
});

describe.skipIf(!canRun(curlPrograms()))('the example with curl', () => {
  it('runs', async () => {
    const output = await run('/bin/sh', [
      '-eu',
      await written('example.sh', documentedExample(document, 'curl')),
    ]);
    expect(output).toContain('event: text-delta');
    expect(output.trim().split('\n').at(-1)).toContain(`"result":{"text":"${story}"}`);
  });
});

describe.skipIf(!canRun(pythonPrograms()))('the examples in Python', () => {
  it('run', async () => {
    const output = await run('python3', [await written('example.py', documentedExample(document, 'python'))]);
    expect(output).toMatch(new RegExp(`^${story}\\nresult: ${story} for 0\\.\\d+ USD\\n$`));
  });

  it('verify webhooks', async () => {
    const secret = `whsec_${Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')}`;
    const body = '{"type":"request.completed","timestamp":"2026-11-30T12:00:00Z","data":{}}';
    const now = new Date();
    const old = new Date(now.getTime() - 600_000);
    const headersOf = (at: Date, text = body) => ({
      'webhook-id': 'msg_1',
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': `v1,AAAA ${new Webhook(secret).sign('msg_1', at, text)}`,
    });
    const odd = [
      {},
      { ...headersOf(now), 'webhook-timestamp': 'x' },
      { ...headersOf(now), 'webhook-timestamp': '9'.repeat(400) },
      { ...headersOf(now), 'webhook-signature': 'v1' },
      { ...headersOf(now), 'webhook-signature': 'v1,é' },
    ];
    const cases = [headersOf(now), headersOf(old), headersOf(now, 'another'), ...odd];
    const program = `${documentedExample(document, 'webhook-python')}
import json
for headers in json.loads(${JSON.stringify(JSON.stringify(cases))}):
    print(verify(headers, ${JSON.stringify(body)}.encode(), ${JSON.stringify(secret)}))
`;
    expect(await run('python3', [await written('webhook.py', program)])).toBe(`True\n${'False\n'.repeat(7)}`);
  });
});

it('the example of a receiver of webhooks answers what is signed, and refuses the rest', async () => {
  const secret = `whsec_${Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')}`;
  const body = '{"type":"request.completed","timestamp":"2026-11-30T12:00:00Z","data":{"id":"abc"}}';
  const now = new Date();
  const signature = new Webhook(secret).sign('msg_1', now, body);
  const program = `${documentedExample(document, 'webhook-typescript').replace('millrace/client', client)}
const ask = (text: string) => receive(new Request('http://x/', { method: 'POST', body: text, headers: {
  'webhook-id': 'msg_1', 'webhook-timestamp': String(${Math.floor(now.getTime() / 1000)}), 'webhook-signature': '${signature}' } }), '${secret}');
console.log((await ask('${body}')).status, await ask('x').catch((error) => error.code));
`;
  const output = await run(process.execPath, [await written('receive.ts', program)]);
  expect(output).toBe("msg_1 request.completed { id: 'abc' }\n204 CLIENT_WEBHOOK_INVALID\n");
});
