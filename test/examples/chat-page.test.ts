import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ChatModule } from '../../examples/chat/chat.module.ts';
import { createChatServer } from '../../examples/chat/chat-server.ts';
import { bundlePage, pageHtml } from '../../examples/chat/bundle-page.ts';
import { ApiKeys } from '../../src/capabilities/access/api-keys.ts';
import { MillraceClient } from '../../src/client.ts';
import { createMillraceApp, type MillraceApp } from '../../src/host/create-millrace-app.ts';
import { Host } from '../../src/host/host.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { newHostDirectory } from '../support/migrated-columns.ts';
import { canRun, chromiumPrograms, directoryOf } from '../support/required-programs.ts';
import { type WrittenAnswer, WrittenModel } from '../support/story-host.ts';

/* The example examples/chat in a browser: useChat over a pipeline, with its cost, its stop, and a page that is loaded again. */

describe.skipIf(!canRun(chromiumPrograms()))('the chat', () => {
  const model = new WrittenModel();
  const origin = { team: 'support', customer: 'acme', feature: 'chat' };
  let directory: string;
  let app: MillraceApp;
  let millrace: MillraceClient;
  let server: Server;
  let url: string;
  let browser: Browser;
  let page: Page;
  const pageErrors: string[] = [];

  beforeAll(async () => {
    directory = await newHostDirectory('mr-chat-');
    app = await createMillraceApp({
      environment: {},
      config: { http: { port: 0 }, logging: { level: 'silent' }, dataDirectory: directory },
      logger: silentLogger,
      imports: [ChatModule],
      modelProviders: { openai: { kind: 'custom', model: () => model, priceProvider: 'openai' } },
      signals: false,
      progress: false,
    });
    const keys = app.nest.get(Host).service(ApiKeys);
    const { key } = await keys.create({ name: 'chat', scopes: ['requests:read', 'requests:write'] });
    millrace = new MillraceClient({ baseUrl: String(app.url), apiKey: key });
    const folder = join(import.meta.dirname, '..', '..', 'examples', 'chat', 'page');
    server = createChatServer({
      millrace,
      origin,
      html: await pageHtml(folder),
      script: await bundlePage(folder),
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    browser = await chromium.launch({
      executablePath: join(directoryOf(chromiumPrograms()), 'chromium'),
      args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
    });
    page = await browser.newPage();
    page.on('pageerror', ({ message }) => void pageErrors.push(message));
    await page.goto(url);
  });
  afterAll(async () => {
    await browser.close();
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
    await app.close();
    await rm(directory, { recursive: true, force: true });
    expect(pageErrors).toEqual([]);
  });

  async function ask(question: string): Promise<WrittenAnswer> {
    const before = model.answers.length;
    await page.getByLabel('Question').fill(question);
    await page.getByRole('button', { name: 'Ask' }).click();
    await expect.poll(() => model.answers.length).toBe(before + 1);
    const answer = model.about(question);
    if (answer === undefined) throw new Error('it was asked for');
    return answer;
  }

  const said = async (): Promise<string> => (await page.locator('article').last().innerText()).trim();
  const latest = async () => {
    const [request] = (await millrace.list({ pipeline: 'chat', limit: 1 })).requests;
    if (request === undefined) throw new Error('there is one');
    return request;
  };

  it('shows an answer as it is made, and then what it cost', async () => {
    const answer = await ask('What is a mill?');
    answer.write('A thousandth ');
    await expect.poll(said).toBe('A thousandth');
    answer.write('of a dollar.');
    answer.finish();
    await expect.poll(said).toMatch(/^A thousandth of a dollar\.\n\$0\.\d+, 30 tokens$/);
    const { id, origin: whose } = await latest();
    const ended = await millrace.wait(id);
    expect(whose).toEqual(origin);
    expect(await said()).toContain(`$${ended.cost.usd},`);
  });

  it('stops an answer and its bill, and shows what it cost until then', async () => {
    const answer = await ask('Say too much.');
    answer.write('Far too ');
    await expect.poll(said).toBe('Far too');
    await page.getByRole('button', { name: 'Stop' }).click();
    await expect.poll(() => answer.isAborted).toBe(true);
    await page.getByRole('button', { name: 'Ask' }).waitFor();
    const { id, state } = await latest();
    expect(state).toBe('cancelled');
    const { cost } = await millrace.get(id);
    expect(await said()).toBe(`Far too\n$${cost.usd}, ${(await said()).split(' ').at(-2)} tokens`);
  });

  it('goes on with an answer after the page was loaded again, which pays nothing twice', async () => {
    const answer = await ask('Wait for me.');
    answer.write('Half of it, ');
    await expect.poll(said).toBe('Half of it,');
    const count = model.answers.length;
    await page.reload();
    await expect.poll(said).toBe('Half of it,');
    answer.write('and the rest.');
    answer.finish();
    await expect.poll(said).toMatch(/^Half of it, and the rest\.\n\$0\.\d+, 30 tokens$/);
    expect([model.answers.length, answer.isAborted]).toEqual([count, false]);
    const whole = await page.locator('main').innerText();
    await page.reload();
    await expect.poll(() => page.locator('main').innerText()).toBe(whole);
    expect(await page.locator('article').count()).toBe(6);
  });

  it('tells the server what it does not know in words', async () => {
    const post = async (path: string, body: string): Promise<number> =>
      (await fetch(`${url}${path}`, { method: 'POST', body })).status;
    expect(await post('/chat', 'no json')).toBe(400);
    expect(await post('/chat', '{}')).toBe(400);
    expect(await post('/chat/nobody/stop', '')).toBe(404);
    expect(await post('/chat/%ff/stop', '')).toBe(400);
    expect((await fetch(`${url}/chat/nobody/stream`)).status).toBe(204);
    expect((await fetch(`${url}/elsewhere`)).status).toBe(404);
  });
});
