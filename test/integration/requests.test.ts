import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type RequestDocument,
  requestSchema,
} from '../../src/capabilities/requests/state/request-document.ts';
import { openRequestHost, type RequestHost } from '../support/request-host.ts';
import { problemOf } from './api-fixture.ts';
import { requestTo } from './request-to.ts';

/* Requests to a pipeline on an embedded host: accepted, waited for, read, cancelled. */

let running: RequestHost;
let key: string;

beforeAll(async () => {
  running = await openRequestHost();
  key = await running.newKey(['requests:read', 'requests:write'], { team: 'blue' });
});
afterAll(() => running.close());

const origin = { customer: 'acme', feature: 'mail' };
let names = 0;
const newName = (): string => {
  names += 1;
  return `name-${names}`;
};

const submit = (data: object, headers: Readonly<Record<string, string>> = {}, more: object = {}) =>
  requestTo(running.url)
    .post('/v1/pipelines/greetings/requests')
    .set({ authorization: `Bearer ${key}`, ...headers })
    .send({ data, origin, ...more });
const get = (path: string, headers: Readonly<Record<string, string>> = {}) =>
  requestTo(running.url)
    .get(`/v1/requests${path}`)
    .set({ authorization: `Bearer ${key}`, ...headers });
const cancel = (id: string) =>
  requestTo(running.url).post(`/v1/requests/${id}/cancel`).set('authorization', `Bearer ${key}`).send({});
const documentOf = ({ body }: { readonly body: unknown }): RequestDocument =>
  requestSchema.strict().parse(body);

describe('a request', () => {
  it('is accepted at once, and answered with its result when it has ended', async () => {
    const name = newName();
    const accepted = await submit({ name });
    expect(accepted.status, accepted.text).toBe(202);
    const { id, state, origin: whose } = documentOf(accepted);
    expect({ state, whose }).toEqual({ state: 'queued', whose: { team: 'blue', ...origin } });
    expect(accepted.headers['location']).toBe(`/v1/requests/${id}`);
    const answered = await get(`/${id}`, { prefer: 'wait=20' });
    expect(answered.headers['preference-applied']).toBe('wait=20');
    expect(documentOf(answered)).toMatchObject({
      id,
      state: 'completed',
      outputs: 1,
      result: { text: `Hello ${name} 1` },
      cost: { usd: '0', isFinal: true, calls: 0 },
      openMessages: 0,
    });
  });

  it('is answered directly where the client prefers to wait', async () => {
    const answered = await submit({ name: newName() }, { prefer: 'respond-async, wait=30' });
    expect([answered.status, answered.headers['preference-applied']]).toEqual([
      200,
      'respond-async, wait=30',
    ]);
    expect(documentOf(answered).state).toBe('completed');
  });

  it('has all that its pipeline says as its result, in one order', async () => {
    const name = newName();
    const answered = await submit({ name, copies: 3 }, { prefer: 'wait=30' });
    expect(documentOf(answered)).toMatchObject({
      outputs: 3,
      result: [1, 2, 3].map((copy) => ({ text: `Hello ${name} ${copy}` })),
    });
  });

  it('fails with the code of what stopped it', async () => {
    const answered = await submit({ name: newName(), fails: true }, { prefer: 'wait=30' });
    expect(documentOf(answered)).toMatchObject({
      state: 'failed',
      error: {
        code: 'MILLRACE_STAGE_FAILED',
        message: 'it cannot be worded',
        stage: 'word',
        retryable: false,
      },
    });
  });

  it('is refused before anything is written where its data is not what the pipeline takes', async () => {
    const refused = await submit({ name: '' });
    expect(problemOf(refused)).toMatchObject({ status: 422, code: 'MILLRACE_MESSAGE_INVALID' });
    const unknown = await requestTo(running.url)
      .post('/v1/pipelines/nothing/requests')
      .set('authorization', `Bearer ${key}`)
      .send({ data: {}, origin });
    expect(problemOf(unknown)).toMatchObject({ status: 404, code: 'MILLRACE_PIPELINE_NOT_FOUND' });
  });

  it('is cancelled without a body as well, whatever type its client names', async () => {
    for (const send of [
      (path: string) => requestTo(running.url).post(`${path}/cancel`),
      (path: string) => requestTo(running.url).post(`${path}/cancel`).set('content-type', 'application/json'),
      (path: string) => requestTo(running.url).delete(path).set('content-type', 'application/json'),
    ]) {
      const { id } = documentOf(await submit({ name: newName() }, {}, { delay: undefined }));
      const answered = await send(`/v1/requests/${id}`).set('authorization', `Bearer ${key}`);
      // It may have ended before.
      expect([200, 202, 409], answered.text).toContain(answered.status);
    }
    const { body } = await requestTo(running.url)
      .post('/v1/pipelines/greetings/requests')
      .set('authorization', `Bearer ${key}`)
      .set('content-type', 'application/json');
    expect(JSON.stringify(body)).toContain('"field":"data"');
  });

  it('that runs is cancelled, and its handler aborted', async () => {
    const name = newName();
    const { id } = documentOf(await submit({ name, waits: true }));
    await expect.poll(() => running.greeter.begun).toContain(name);
    expect(documentOf(await get(`/${id}`))).toMatchObject({
      state: 'running',
      stage: 'word',
      openMessages: 1,
    });
    const cancelled = await cancel(id);
    expect(cancelled.status, cancelled.text).toBe(200);
    expect(documentOf(cancelled)).toMatchObject({ state: 'cancelled', openMessages: 0 });
    await expect.poll(() => running.greeter.aborted).toContain(name);
    expect(documentOf(await cancel(id)).state).toBe('cancelled');
  });
});
