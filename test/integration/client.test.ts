import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import type { RequestDocument } from '../../src/capabilities/requests/state/request-document.ts';
import {
  MillraceClient,
  MillraceClientError,
  type MillraceRequest,
  type RequestEvent,
  RequestText,
} from '../../src/client.ts';
import { openStoryHost, type StoryHost, type WrittenAnswer } from '../support/story-host.ts';

/* The client library against an embedded host. */

let running: StoryHost;
let millrace: MillraceClient;
beforeAll(async () => {
  running = await openStoryHost();
  const apiKey = await running.newKey(['requests:read', 'requests:write'], { team: 'blue' });
  millrace = new MillraceClient({ baseUrl: running.url, apiKey });
});
afterAll(() => running.close());

const told = z.object({ text: z.string() });
const origin = { customer: 'acme', feature: 'tales' };
let topics = 0;
const newTopic = (): string => `subject-${(topics += 1)}.`;

async function answerAbout(about: string, count = 1): Promise<WrittenAnswer> {
  await expect
    .poll(() => running.model.answers.filter((one) => one.about.includes(about)).length)
    .toBe(count);
  const answer = running.model.about(about);
  if (answer === undefined) throw new Error('it was asked for');
  return answer;
}

async function submitStory(): Promise<{ readonly id: string; readonly answer: WrittenAnswer }> {
  const about = newTopic();
  const { id } = await millrace.submit('stories', { about }, { origin });
  return { id, answer: await answerAbout(about) };
}

const errorOf = async (work: Promise<unknown>): Promise<MillraceClientError> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof MillraceClientError)) throw new Error('it threw something else', { cause: error });
  return error;
};

describe('the client', () => {
  it('submits, waits, and answers with the result as its schema has it', async () => {
    const about = newTopic();
    const accepted = await millrace.submit('stories', { about }, { origin });
    expect(accepted).toMatchObject({ state: 'queued', origin: { team: 'blue', ...origin } });
    const ended = millrace.wait(accepted, { schema: told });
    const answer = await answerAbout(about);
    answer.write('The end.');
    answer.finish();
    const request = await ended;
    if (request.state !== 'completed') throw new Error(request.error.message);
    expectTypeOf(request.result).toEqualTypeOf<{ text: string }>();
    expect(request).toMatchObject({ result: { text: 'The end.' }, outputs: 1, cost: { isFinal: true } });
    expect(await millrace.result<{ text: string }>(accepted.id)).toEqual({ text: 'The end.' });
    expect(await millrace.get(accepted)).toEqual(request);
    expect((await errorOf(millrace.result(accepted.id, { schema: z.number() }))).code).toBe(
      'CLIENT_RESULT_INVALID',
    );
  });

  it('has the types of the API', () => {
    // What the host answers is what the client says it is, and each state of it is one that the host knows.
    expectTypeOf<RequestDocument['state']>().toEqualTypeOf<MillraceRequest['state']>();
    expectTypeOf<MillraceRequest>().toExtend<RequestDocument>();
  });

  it('is answered directly where it waits in the submission, and pays once for one key', async () => {
    const about = newTopic();
    const options = { origin, idempotencyKey: `once "${about}" \\`, waitSeconds: 20 };
    const both = Promise.all([
      millrace.submit('stories', { about }, { ...options, schema: told }),
      millrace.submit('stories', { about }, options),
    ]);
    const answer = await answerAbout(about);
    answer.write('Once.');
    answer.finish();
    const [one, other] = await both;
    expect(one).toMatchObject({ state: 'completed', result: { text: 'Once.' } });
    expect(other.id).toBe(one.id);
    expect(running.model.answers.filter((asked) => asked.about.includes(about))).toHaveLength(1);
    const reused = await errorOf(millrace.submit('stories', { about: newTopic() }, options));
    expect(reused).toMatchObject({ code: 'MILLRACE_IDEMPOTENCY_KEY_REUSED', status: 422, retryable: false });
    expect(reused.problem).toMatchObject({ todo: expect.stringContaining('new key') as string });
  });

  it('follows a request event by event, with the text so far', async () => {
    const { id, answer } = await submitStory();
    const text = new RequestText();
    const events: RequestEvent<{ text: string }>[] = [];
    const texts: string[] = [];
    const followed = (async () => {
      for await (const event of millrace.stream<{ text: string }>(id)) {
        events.push(event);
        text.take(event);
        if (event.kind === 'text-delta') texts.push(text.text);
      }
    })();
    answer.write('Once ');
    await expect.poll(() => texts).toEqual(['Once ']);
    answer.write('more.');
    answer.finish();
    await followed;
    expect(texts.at(-1)).toBe('Once more.');
    const ids = events.map((event) => event.id);
    expect(ids).toEqual([...new Set(ids)].toSorted((left, right) => left - right));
    expect(events.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['accepted', 'stage-started', 'progress', 'usage', 'stage-ended', 'completed']),
    );
    const last = events.at(-1);
    if (last?.kind !== 'completed') throw new Error('it is completed');
    expectTypeOf(last.request.result).toEqualTypeOf<{ text: string }>();
    expect(last.request.result).toEqual({ text: 'Once more.' });
    const usage = events.find(({ kind }) => kind === 'usage');
    expect(usage).toMatchObject({ soFarUsd: last.request.cost.usd, tokens: 30 });
    expect(await millrace.text(id)).toBe('Once more.');
    // After the final event nothing comes.
    for await (const event of millrace.stream(id, { after: last.id }))
      throw new Error(`there is ${event.kind}`);
  });

  it('tells when an attempt begins its text again', async () => {
    const about = newTopic();
    const { id } = await millrace.submit('stories', { about }, { origin });
    const whole = millrace.text(id);
    const kinds: string[] = [];
    const followed = (async () => {
      for await (const { kind } of millrace.stream(id)) kinds.push(kind);
    })();
    const first = await answerAbout(about);
    first.write('Wrong');
    await expect.poll(() => kinds).toContain('text-delta');
    first.break();
    const second = await answerAbout(about, 2);
    second.write('Right.');
    second.finish();
    expect(await whole).toBe('Right.');
    await followed;
    expect(kinds.indexOf('attempt-restarted')).toBeGreaterThan(kinds.indexOf('text-delta'));
  });

  it('cancels, and says so to whoever waits', async () => {
    const { id, answer } = await submitStory();
    const [result, text] = [errorOf(millrace.result(id)), errorOf(millrace.text(id))];
    const cancelled = await millrace.cancel(id, { reason: 'enough' });
    expect(cancelled.id).toBe(id);
    await expect.poll(() => answer.isAborted).toBe(true);
    const { error } = (await millrace.wait(id)) as { error?: { code: string } };
    for (const thrown of [await result, await text])
      expect(thrown).toMatchObject({ code: error?.code, requestId: id, status: undefined });
    expect((await millrace.cancel(id)).state).toBe('cancelled');
  });

  it('throws the code of what failed', async () => {
    const about = newTopic();
    const { id } = await millrace.submit('stories', { about }, { origin });
    (await answerAbout(about)).break();
    (await answerAbout(about, 2)).break();
    const error = await errorOf(millrace.result(id));
    const ended = await millrace.get(id);
    expect(ended).toMatchObject({ state: 'failed', error: { code: error.code, retryable: error.retryable } });
    const late = await errorOf(millrace.cancel(id));
    expect(late).toMatchObject({ code: 'MILLRACE_REQUEST_ENDED', status: 409 });
  });

  it('lists by filter, and page by page', async () => {
    const feature = 'listing';
    const ids: string[] = [];
    for (let count = 0; count < 3; count += 1)
      ids.unshift(
        (await millrace.submit('stories', { about: newTopic() }, { origin: { ...origin, feature } })).id,
      );
    const page = await millrace.list({
      feature: [feature, 'another'],
      state: ['queued', 'running'],
      limit: 2,
    });
    expect(page.requests.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    const all: string[] = [];
    for await (const { id } of millrace.listAll({ feature, limit: 1 })) all.push(id);
    expect(all).toEqual(ids);
    for (const id of ids) await millrace.cancel(id);
  });

  it('gives a token for pages', async () => {
    const { id, answer } = await submitStory();
    const { url } = await millrace.streamToken(id);
    answer.write('Seen.');
    answer.finish();
    const response = await fetch(new URL(url, running.url));
    expect([response.status, (await response.text()).includes('event: completed')]).toEqual([200, true]);
  });

  it('says what the API refuses, at once', async () => {
    const { code, status, retryable } = await errorOf(millrace.submit('nothing', {}, { origin }));
    expect([code, status, retryable]).toEqual(['MILLRACE_PIPELINE_NOT_FOUND', 404, false]);
    const faults = (await errorOf(millrace.submit('stories', { about: '' }, { origin }))).problem?.faults;
    expect(faults?.length).toBeGreaterThan(0);
    const unknown = '00000000-0000-4000-8000-000000000000';
    for (const work of [millrace.get(unknown), millrace.text(unknown), millrace.wait(unknown)])
      expect((await errorOf(work)).code).toBe('MILLRACE_REQUEST_NOT_FOUND');
    const stranger = new MillraceClient({ baseUrl: running.url, apiKey: () => Promise.resolve('wrong') });
    expect((await errorOf(stranger.list())).status).toBe(401);
    for (const id of ['', '.', '..'])
      await expect(millrace.get(id)).rejects.toMatchObject({ code: 'CLIENT_OPTION_INVALID' });
    expect((await errorOf(millrace.get('../pipelines'))).code).toBe('MILLRACE_REQUEST_NOT_FOUND');
  });

  it('ends what its signal aborts, and nothing of the request', async () => {
    const { id, answer } = await submitStory();
    const reason = new Error('the page was left');
    const aborted = AbortSignal.abort(reason);
    await expect(millrace.get(id, { signal: aborted })).rejects.toBe(reason);
    const leaving = new AbortController();
    const { signal } = leaving;
    const waits = [millrace.wait(id, { signal }), millrace.text(id, { signal })];
    const kinds: string[] = [];
    const followed = (async () => {
      for await (const { kind } of millrace.stream(id, { signal })) kinds.push(kind);
    })();
    await expect.poll(() => kinds).toContain('progress');
    leaving.abort(reason);
    for (const work of [...waits, followed]) await expect(work).rejects.toBe(reason);
    for await (const { kind } of millrace.stream(id)) if (kind === 'progress') break;
    answer.write('Still here.');
    answer.finish();
    expect(await millrace.text(id)).toBe('Still here.');
    expect(answer.isAborted).toBe(false);
  });
});
