import { spawn, spawnSync } from 'node:child_process';
import { DefaultChatTransport, readUIMessageStream, type UIMessage, type UIMessageChunk } from 'ai';
import { EventSource } from 'eventsource';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiKeys } from '../../src/capabilities/access/api-keys.ts';
import { EventReader } from '../support/event-reader.ts';
import { openStoryHost, type StoryHost, type WrittenAnswer } from '../support/story-host.ts';
import { requestTo } from './request-to.ts';

/* The events of requests on an embedded host, read by real clients. */

let running: StoryHost;
let key: string;
beforeAll(async () => {
  running = await openStoryHost();
  key = await running.newKey(['requests:read', 'requests:write'], { team: 'blue' });
});
afterAll(() => running.close());

let topics = 0;
const newTopic = (): string => `topic-${(topics += 1)}.`;

async function submit(about: string, more: object = {}): Promise<string> {
  const { body, status, text } = await requestTo(running.url)
    .post('/v1/pipelines/stories/requests')
    .set('authorization', `Bearer ${key}`)
    .send({ data: { about }, origin: { customer: 'acme', feature: 'tales' }, ...more });
  expect(status, text).toBe(202);
  return (body as { id: string }).id;
}

const get = (path: string, headers: Readonly<Record<string, string>> = {}) =>
  fetch(`${running.url}/v1/requests/${path}`, { headers: { authorization: `Bearer ${key}`, ...headers } });

/** The answer about a topic, once it is asked for. */
async function answerAbout(about: string, count = 1): Promise<WrittenAnswer> {
  await expect
    .poll(() => running.model.answers.filter((one) => one.about.includes(about)).length)
    .toBe(count);
  const answer = running.model.about(about);
  if (answer === undefined) throw new Error('it was asked for');
  return answer;
}

const read = (path: string, headers: Readonly<Record<string, string>> = {}): EventReader =>
  new EventReader(`${running.url}/v1/requests/${path}`, { authorization: `Bearer ${key}`, ...headers });

/** A request that has told a story, and its events. */
async function toldStory(): Promise<{ readonly id: string; readonly reader: EventReader }> {
  const topic = newTopic();
  const id = await submit(topic);
  const reader = read(`${id}/events`);
  const answer = await answerAbout(topic);
  answer.think('Hm.');
  for (const word of ['Once ', 'upon ', 'a ', 'time.']) {
    const before = reader.text.length;
    answer.write(word);
    await expect.poll(() => reader.text.length).toBe(before + word.length);
  }
  answer.finish();
  await reader.ended;
  return { id, reader };
}

describe('the events of a request', () => {
  it('come as it happens, from its acceptance to its result, under ids that grow', async () => {
    const { id, reader } = await toldStory();
    const { events, kinds } = reader;
    expect(kinds[0]).toBe('accepted');
    expect(kinds.slice(1, 3)).toEqual(['stage-started', 'progress']);
    expect(kinds.slice(-3)).toEqual(['usage', 'stage-ended', 'completed']);
    expect(kinds.filter((kind) => kind === 'text-delta')).toHaveLength(4);
    expect(kinds).toContain('reasoning-delta');
    expect(kinds).not.toContain('events-lost');
    const ids = events.map((one) => one.id);
    expect(ids).toEqual(ids.toSorted((one, other) => one - other));
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids[0]).toBe(1);
    expect(events.at(-1)?.data).toMatchObject({
      kind: 'completed',
      request: { id, state: 'completed', result: { text: 'Once upon a time.' }, cost: { isFinal: true } },
    });
    const spent = events.find(({ kind }) => kind === 'usage')?.data;
    const { request } = (events.at(-1)?.data ?? {}) as { request: { cost: { usd: string } } };
    expect(spent).toMatchObject({ soFarUsd: request.cost.usd, usd: request.cost.usd, tokens: 30 });
    expect(Number(request.cost.usd)).toBeGreaterThan(0);
  });

  it('are all there for a client that comes late, and for two at once', async () => {
    const { id, reader } = await toldStory();
    const [one, other] = [read(`${id}/events`), read(`${id}/events`)];
    await Promise.all([one.ended, other.ended]);
    expect(one.events.slice(1)).toEqual(reader.events.slice(1));
    expect(other.events).toEqual(one.events);
  });

  it('go on after any of them, and end for good with the last', async () => {
    const { id, reader } = await toldStory();
    const { events } = reader;
    for (const [place, { id: last }] of events.entries()) {
      if (place === events.length - 1) continue;
      const again = read(`${id}/events`, { 'last-event-id': String(last) });
      await again.ended;
      expect(again.events).toEqual(events.slice(place + 1));
    }
    const lastId = events.at(-1)?.id ?? 0;
    expect((await get(`${id}/events?after=${lastId}`)).status).toBe(204);
    const beside = read(`${id}/events?after=${lastId}`, { 'last-event-id': String(events[0]?.id) });
    await beside.ended;
    expect(beside.events).toEqual(events.slice(1));
  });

  it('say that an attempt begins again, and its text with it', async () => {
    const topic = newTopic();
    const id = await submit(topic);
    const reader = read(`${id}/events`);
    const first = await answerAbout(topic);
    first.write('It was ');
    await expect.poll(() => reader.text).toBe('It was ');
    first.break();
    const second = await answerAbout(topic, 2);
    second.write('There was a frog.');
    second.finish();
    await reader.ended;
    const { events, kinds } = reader;
    const restarted = kinds.indexOf('attempt-restarted');
    expect(events[restarted]?.data).toMatchObject({ attempt: 2, stage: 'tell' });
    expect(events.findIndex(({ data }) => data['outcome'] === 'retried')).toBeLessThan(restarted);
    const after = events.slice(restarted).filter(({ kind }) => kind === 'text-delta');
    expect(after.map(({ data }) => [data['offset'], data['text']])).toEqual([[0, 'There was a frog.']]);
    expect(events.at(-1)?.data).toMatchObject({ request: { result: { text: 'There was a frog.' } } });
  });

  it('are those of nobody else', async () => {
    const { id } = await toldStory();
    const foreign = await running.newKey(['requests:read'], { team: 'green' });
    const response = await get(`${id}/events`, { authorization: `Bearer ${foreign}` });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ code: 'MILLRACE_REQUEST_NOT_FOUND' });
    const tokenless = await requestTo(running.url)
      .post(`/v1/requests/${id}/stream-token`)
      .set('authorization', `Bearer ${foreign}`);
    expect(tokenless.status).toBe(404);
  });

  it('are refused after what no event has as its id', async () => {
    const { id } = await toldStory();
    for (const last of [
      '-1',
      'abc',
      '1.5',
      '99999999999999999999',
      '9007199254740991',
      "1' or 1=1",
      '0x10',
    ]) {
      const response = await get(`${id}/events`, { 'last-event-id': last });
      expect(response.status, last).toBe(400);
      expect(await response.json()).toMatchObject({ code: 'MILLRACE_REQUEST_INVALID' });
    }
  });
});

it.skipIf(spawnSync('curl', ['--version']).status !== 0)('come to curl as they happen', async () => {
  const topic = newTopic();
  const id = await submit(topic);
  const curl = spawn('curl', [
    '-sN',
    `${running.url}/v1/requests/${id}/events`,
    '-H',
    `authorization: Bearer ${key}`,
  ]);
  let text = '';
  curl.stdout.on('data', (bytes: Buffer) => (text += bytes.toString()));
  const ended = new Promise((resolve) => curl.once('close', resolve));
  const answer = await answerAbout(topic);
  answer.write('Hello curl');
  await expect.poll(() => text).toContain('Hello curl');
  answer.finish();
  expect(await ended).toBe(0);
  expect(text).toContain('\nevent: completed\n');
});

describe('a client that leaves', () => {
  it('changes nothing for a request that goes on', async () => {
    const topic = newTopic();
    const id = await submit(topic);
    const reader = read(`${id}/events`);
    const answer = await answerAbout(topic);
    answer.write('Alone');
    await expect.poll(() => reader.text).toBe('Alone');
    reader.leave();
    await reader.ended.catch(() => undefined);
    answer.write(' at last.');
    answer.finish();
    const later = read(`${id}/events`);
    await later.ended;
    expect(later.text).toBe('Alone at last.');
    expect(answer.isAborted).toBe(false);
  });

  it('stops the bill of one that is to be cancelled, once the last has left and the grace time is over', async () => {
    const topic = newTopic();
    const id = await submit(topic, { onDisconnect: 'cancel', disconnectGraceSeconds: 0 });
    const [one, other] = [read(`${id}/events`), read(`${id}/events`)];
    const answer = await answerAbout(topic);
    answer.write('Who is there?');
    await expect.poll(() => [one.text, other.text]).toEqual(['Who is there?', 'Who is there?']);
    one.leave();
    answer.write(' Me.');
    await expect.poll(() => other.text).toBe('Who is there? Me.');
    expect(answer.isAborted).toBe(false);
    other.leave();
    const leftMs = performance.now();
    await expect.poll(() => answer.isAborted, { interval: 10 }).toBe(true);
    expect(performance.now() - leftMs).toBeLessThan(5000);
    const later = read(`${id}/events`);
    await later.ended;
    expect(later.events.at(-1)).toMatchObject({
      kind: 'cancelled',
      data: { request: { state: 'cancelled' } },
    });
  });
});

describe('a stream token', () => {
  const tokenOf = async (id: string): Promise<{ token: string; url: string; expiresAt: string }> => {
    const { body, status } = await requestTo(running.url)
      .post(`/v1/requests/${id}/stream-token`)
      .set('authorization', `Bearer ${key}`);
    expect(status).toBe(200);
    return body as { token: string; url: string; expiresAt: string };
  };

  it('lets EventSource read the events, which goes on by itself where it was cut, and stops at the end', async () => {
    const topic = newTopic();
    const id = await submit(topic);
    const { url } = await tokenOf(id);
    const source = new EventSource(`${running.url}${url}`);
    const texts: string[] = [];
    const ids: string[] = [];
    let isOver = false;
    source.addEventListener('text-delta', ({ data, lastEventId }) => {
      texts.push((JSON.parse(String(data)) as { text: string }).text);
      ids.push(lastEventId);
    });
    source.addEventListener('completed', () => {
      isOver = true;
      source.close();
    });
    const answer = await answerAbout(topic);
    answer.write('A cat');
    await expect.poll(() => texts).toEqual(['A cat']);
    answer.write(' sat.');
    answer.finish();
    await expect.poll(() => isOver).toBe(true);
    expect(texts.join('')).toBe('A cat sat.');
    expect(ids.map(Number).every((one) => one > 1)).toBe(true);
  });

  it('is good for this request, for reading its events, and unchanged', async () => {
    const { id } = await toldStory();
    const { id: another } = await toldStory();
    const { token } = await tokenOf(id);
    const status = async (path: string, method = 'GET'): Promise<number> =>
      (await fetch(`${running.url}${path}`, { method })).status;
    expect(await status(`/v1/requests/${id}/events?token=${token}`)).toBe(200);
    expect(await status(`/v1/requests/${another}/events?token=${token}`)).toBe(401);
    expect(await status(`/v1/requests/${id}?token=${token}`)).toBe(401);
    expect(await status(`/v1/requests/${id}/cancel?token=${token}`, 'POST')).toBe(401);
    expect(await status(`/v1/requests?token=${token}`)).toBe(401);
    for (const changed of [
      token.slice(0, -4),
      `${token}AAAA`,
      `${token}.`,
      `mrs_${token[4] === 'A' ? 'B' : 'A'}${token.slice(5)}`,
      `${token.slice(0, 40)}${token[40] === 'A' ? 'B' : 'A'}${token.slice(41)}`,
      'mrs_',
      `${token}${'x'.repeat(3000)}`,
      '%00',
    ])
      expect(await status(`/v1/requests/${id}/events?token=${changed}`)).toBe(401);
    expect(
      (
        await fetch(`${running.url}/v1/requests/${id}/events?token=${token}`, {
          headers: { authorization: 'Bearer wrong' },
        })
      ).status,
    ).toBe(401);
  });
});

describe('a stream token and the key that it was made with', () => {
  const made = async (): ReturnType<ApiKeys['create']> =>
    await running.host.service(ApiKeys).create({
      name: 'secret name',
      scopes: ['requests:read'],
      team: 'blue',
    });
  const tokenBy = async (own: string, id: string): Promise<string> => {
    const { body } = await requestTo(running.url)
      .post(`/v1/requests/${id}/stream-token`)
      .set('authorization', `Bearer ${own}`);
    return (body as { token: string }).token;
  };

  it('are refused together', async () => {
    const { id } = await toldStory();
    const own = await made();
    const url = `${running.url}/v1/requests/${id}/events?token=${await tokenBy(own.key, id)}`;
    expect((await fetch(url)).status).toBe(200);
    await running.host.service(ApiKeys).revoke(own.id);
    expect((await fetch(url)).status).toBe(401);
  });

  it('tell nobody of each other', async () => {
    const { id } = await toldStory();
    const own = await made();
    const token = await tokenBy(own.key, id);
    const readable = [
      token,
      ...token
        .slice(4)
        .split('.')
        .map((part) => Buffer.from(part, 'base64url').toString('latin1')),
    ];
    for (const said of ['secret name', 'blue', own.id, id])
      expect(
        readable.some((text) => text.includes(said)),
        said,
      ).toBe(false);
  });
});

describe('the UI message stream', () => {
  const transport = (id: string) =>
    new DefaultChatTransport<UIMessage>({
      prepareReconnectToStreamRequest: () => ({
        api: `${running.url}/v1/requests/${id}/events?format=ui-message-stream&whenEnded=none`,
        headers: { authorization: `Bearer ${key}` },
      }),
    });

  /** What the client's own reader makes of the chunks, at the end. */
  async function lastMessage(chunks: ReadableStream<UIMessageChunk>): Promise<UIMessage> {
    let last: UIMessage | undefined;
    for await (const message of readUIMessageStream({ stream: chunks })) last = message;
    if (last === undefined) throw new Error('there is a message');
    return last;
  }

  it('is what the AI SDK reads, with the cost, from the first token also in the middle', async () => {
    const topic = newTopic();
    const id = await submit(topic);
    const answer = await answerAbout(topic);
    answer.think('Which one?');
    answer.write('The fox ');
    const chunks = await transport(id).reconnectToStream({ chatId: 'any' });
    if (chunks === null) throw new Error('something is running');
    const read = lastMessage(chunks);
    answer.write('ran.');
    answer.finish();
    const message = await read;
    expect(message.id).toBe(id);
    expect(message.parts.map(({ type }) => type)).toEqual(['step-start', 'reasoning', 'text', 'data-usage']);
    expect(message.parts).toContainEqual(
      expect.objectContaining({ type: 'text', text: 'The fox ran.', state: 'done' }),
    );
    const usage = message.parts.find(({ type }) => type === 'data-usage');
    expect(usage).toMatchObject({ data: { isFinal: true, tokens: 30 } });
    expect(message.metadata).toMatchObject({ requestId: id });
    // Nothing runs any more: a page that is loaded now has what its own server kept.
    expect(await transport(id).reconnectToStream({ chatId: 'any' })).toBeNull();
    const { headers } = await get(`${id}/events?format=ui-message-stream`);
    expect(headers.get('x-vercel-ai-ui-message-stream')).toBe('v1');
  });

  it('takes the text of an attempt back that begins again', async () => {
    const topic = newTopic();
    const id = await submit(topic);
    const first = await answerAbout(topic);
    const chunks = await transport(id).reconnectToStream({ chatId: 'any' });
    if (chunks === null) throw new Error('something is running');
    const [seen, read] = chunks.tee();
    const types: string[] = [];
    const watched = seen.pipeTo(new WritableStream({ write: ({ type }) => void types.push(type) }));
    const message = lastMessage(read);
    first.write('Wrong');
    await expect.poll(() => types).toContain('text-delta');
    first.break();
    const second = await answerAbout(topic, 2);
    second.write('Right.');
    second.finish();
    await watched;
    expect(types).toContain('reset-step');
    const texts = (await message).parts.filter(({ type }) => type === 'text');
    expect(texts).toEqual([expect.objectContaining({ text: 'Right.' })]);
  });
});
