import { once } from 'node:events';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { batchDocumentSchema } from '../../src/capabilities/batches/batch-document.ts';
import { batchEstimateSchema } from '../../src/capabilities/batches/intake/estimate-document.ts';
import {
  batchUploadSchema,
  startedBatchSchema,
} from '../../src/capabilities/batches/intake/intake-documents.ts';
import { defaultRequestLimits, RequestLimits } from '../../src/host/http/request-limits.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';
import { ManualClock } from '../../src/kernel/manual-clock.ts';
import { startApi } from './api-application.ts';
import { type ApiFixture, openApiFixture, problemOf } from './api-fixture.ts';
import { requestTo } from './request-to.ts';

/* Batches that come in over HTTP. The pipeline "support" takes in tickets with a subject. */

let fixture: ApiFixture;
let app: NestFastifyApplication;
let key: string;
let teamKey: string;
let otherKey: string;

beforeAll(async () => {
  fixture = await openApiFixture();
  key = await fixture.newKey(['messages:write']);
  teamKey = await fixture.newKey(['messages:write'], 'support');
  otherKey = await fixture.newKey(['messages:write'], 'other');
  app = await startApi(fixture.services());
});
afterAll(async () => {
  await app.close();
  await fixture.close();
});
beforeEach(() => fixture.database.execute('delete from millrace.batches'));

const jsonLines = 'application/x-ndjson';
const order = { name: 'nightly', customer: 'acme', feature: 'triage', pipeline: 'support' };

const post = (path: string, body: object, holder = teamKey) =>
  requestTo(app)
    .post(path)
    .set({ authorization: `Bearer ${holder}` })
    .send(body);
const put = (
  id: string,
  body: string | Buffer,
  { query = '', type = jsonLines, holder = teamKey, headers = {} }: PutOptions = {},
) =>
  requestTo(app)
    .put(`/v1/batches/${id}/items${query}`)
    .set({ authorization: `Bearer ${holder}`, 'content-type': type, ...headers })
    .send(body);
interface PutOptions {
  readonly query?: string;
  readonly type?: string;
  readonly holder?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function newBatch(more: object = {}, holder = teamKey): Promise<string> {
  const response = await post('/v1/batches', { ...order, ...more }, holder);
  expect(response.statusCode, response.text).toBe(201);
  return batchDocumentSchema.parse(response.body).id;
}

const ticket = (subject: string, more: object = {}): string =>
  `${JSON.stringify({ data: { subject }, ...more })}\n`;

const itemsOf = async (id: string) =>
  (
    await fixture.database.query<{
      item_id: string;
      data: string;
      customer: string | null;
      team: string | null;
    }>(
      {
        name: 'test.items',
        text: 'select item_id, data, customer, team from millrace.batch_items where batch_id = $1 order by position',
      },
      [id],
    )
  ).rows;

describe('a batch over HTTP', () => {
  it('is made, filled, estimated and started, and each step may be made again', async () => {
    const id = await newBatch();
    const again = await post('/v1/batches', order);
    expect([again.statusCode, batchDocumentSchema.strict().parse(again.body).id]).toEqual([200, id]);

    const lines = Array.from({ length: 700 }, (_, at) => ticket(`ticket ${at}`)).join('');
    for (let times = 0; times < 2; times += 1) {
      const filled = await put(id, lines);
      expect(filled.statusCode, filled.text).toBe(200);
      expect(batchUploadSchema.strict().parse(filled.body)).toMatchObject({
        items: 700,
        chunks: 3,
        faultCount: 0,
        batch: { state: 'receiving', upload: 'complete' },
      });
    }
    const estimate = await requestTo(app)
      .get(`/v1/batches/${id}/estimate`)
      .set({ authorization: `Bearer ${teamKey}` });
    expect(batchEstimateSchema.strict().parse(estimate.body)).toMatchObject({
      items: 700,
      basis: 'none',
      modes: [],
    });
    const dry = await post(`/v1/batches/${id}/start`, { dryRun: true });
    expect(startedBatchSchema.strict().parse(dry.body)).toMatchObject({
      dryRun: true,
      batch: { state: 'receiving' },
      estimate: { items: 700 },
    });
    const started = await post(`/v1/batches/${id}/start`, { reason: 'time' });
    expect(startedBatchSchema.strict().parse(started.body)).toMatchObject({
      dryRun: false,
      batch: { state: 'running', items: { total: 700, open: 700 }, origin: { team: 'support' } },
    });
    expect((await post(`/v1/batches/${id}/start`, {})).body).toEqual(started.body);
    const late = await put(id, lines);
    expect([late.statusCode, problemOf(late).code]).toEqual([409, 'MILLRACE_BATCH_STATE']);
    const resubmitted = await post('/v1/batches', order);
    expect(resubmitted.body).toMatchObject({ id, state: 'running' });
    const other = await post('/v1/batches', { ...order, customer: 'globex' });
    expect([other.statusCode, problemOf(other).code]).toEqual([409, 'MILLRACE_BATCH_EXISTS']);
  });

  it('takes CSV and Parquet, and JSON Lines and CSV compressed', async () => {
    const csv = 'key,who,subject\r\na,globex,"say ""hi"",\r\nplease"\r\nb,,fine\r\n';
    const query = '?idColumn=key&customerColumn=who&omit=key,who';
    const expected = [
      { item_id: 'a', data: '{"subject":"say \\"hi\\",\\r\\nplease"}', customer: 'globex', team: null },
      { item_id: 'b', data: '{"subject":"fine"}', customer: null, team: null },
    ];
    const id = await newBatch();
    for (const [body, headers] of [
      [csv, {}],
      [gzipSync(csv), { 'content-encoding': 'gzip' }],
    ] as const) {
      const filled = await put(id, body, { query, type: 'text/csv', headers });
      expect(filled.statusCode, filled.text).toBe(200);
      expect(await itemsOf(id)).toEqual(expected);
    }
    const parquet = parquetWriteBuffer({
      columnData: [
        { name: 'key', data: [7, 8], type: 'INT32' },
        { name: 'subject', data: ['one', 'two'], type: 'STRING' },
      ],
    });
    const type = 'application/vnd.apache.parquet';
    const filled = await put(id, Buffer.from(parquet), { query: '?idColumn=key&omit=key', type });
    expect(filled.statusCode, filled.text).toBe(200);
    expect(await itemsOf(id)).toMatchObject([
      { item_id: '7', data: '{"subject":"one"}' },
      { item_id: '8', data: '{"subject":"two"}' },
    ]);
    const bare = await put(id, gzipSync('{"subject":"x"}\n'), {
      query: '?form=bare',
      headers: { 'content-encoding': 'gzip' },
    });
    expect(bare.statusCode, bare.text).toBe(200);
    expect(await itemsOf(id)).toMatchObject([{ item_id: '1', data: '{"subject":"x"}' }]);
  });

  it('tells every fault of its input by line, and starts nothing', async () => {
    const id = await newBatch();
    const content = `${ticket('fine', { id: 'a' })}{"data":{}}\nnope\n${ticket('twice', { id: 'a' })}`;
    const refused = await put(id, content);
    expect([refused.statusCode, problemOf(refused).code]).toEqual([422, 'MILLRACE_BATCH_INPUT_INVALID']);
    expect(problemOf(refused).faults?.map(({ field }) => field)).toEqual([
      'line 2, data.subject',
      'line 3',
      'line 4, id',
    ]);
    expect(await itemsOf(id)).toEqual([]);
    const start = await post(`/v1/batches/${id}/start`, {});
    expect([start.statusCode, problemOf(start).code]).toEqual([409, 'MILLRACE_BATCH_STATE']);
  });

  it.each<[string, string | Buffer, PutOptions, number, string]>([
    ['nothing', '', {}, 422, 'MILLRACE_BATCH_INPUT_INVALID'],
    [
      'a line that is too long',
      `${ticket('x'.repeat(3_000_000))}${ticket('fine')}`,
      {},
      422,
      'MILLRACE_BATCH_INPUT_INVALID',
    ],
    ['what is not UTF-8', Buffer.from([0x22, 0xff, 0x22]), {}, 422, 'MILLRACE_BATCH_INPUT_INVALID'],
    [
      'a bomb',
      gzipSync(Buffer.alloc(50_000_000, ' ')),
      { headers: { 'content-encoding': 'gzip' } },
      413,
      'MILLRACE_REQUEST_TOO_LARGE',
    ],
    [
      'what is not compressed as it says',
      ticket('x'),
      { headers: { 'content-encoding': 'gzip' } },
      422,
      'MILLRACE_BATCH_INPUT_INVALID',
    ],
    [
      'another encoding',
      ticket('x'),
      { headers: { 'content-encoding': 'br' } },
      415,
      'MILLRACE_MEDIA_TYPE_UNSUPPORTED',
    ],
    [
      'compressed Parquet',
      gzipSync('PAR1'),
      { type: 'application/vnd.apache.parquet', headers: { 'content-encoding': 'gzip' } },
      415,
      'MILLRACE_MEDIA_TYPE_UNSUPPORTED',
    ],
    ['no Parquet', 'PAR1', { type: 'application/vnd.apache.parquet' }, 422, 'MILLRACE_BATCH_INPUT_INVALID'],
    ['JSON', '{}', { type: 'application/json' }, 415, 'MILLRACE_MEDIA_TYPE_UNSUPPORTED'],
    [
      'UTF-16, as its type says',
      ticket('x'),
      { type: `${jsonLines}; charset=utf-16` },
      415,
      'MILLRACE_MEDIA_TYPE_UNSUPPORTED',
    ],
    ['plain text', 'x', { type: 'text/plain' }, 415, 'MILLRACE_MEDIA_TYPE_UNSUPPORTED'],
    ['an unknown parameter', ticket('x'), { query: '?from=bare' }, 400, 'MILLRACE_REQUEST_INVALID'],
  ])('refuses %s', async (_, body, options, status, code) => {
    const id = await newBatch();
    expect((await put(id, ticket('before'))).statusCode).toBe(200);
    const refused = await put(id, body, options);
    expect([refused.statusCode, problemOf(refused).code], refused.text).toEqual([status, code]);
    // What its headers say is refused before anything is removed.
    expect(await itemsOf(id)).toHaveLength(status === 415 || status === 400 ? 1 : 0);
    // Whatever came before, a good input is taken.
    expect((await put(id, ticket('good'), { type: `${jsonLines}; charset="UTF-8"` })).statusCode).toBe(200);
  });

  it('is the team’s own: others do not find it, and name no other team', async () => {
    const id = await newBatch();
    await put(id, ticket('x'));
    for (const response of [
      await put(id, ticket('x'), { holder: otherKey }),
      await post(`/v1/batches/${id}/start`, {}, otherKey),
      await post(`/v1/batches/${id}/discard`, {}, otherKey),
    ]) {
      expect([response.statusCode, problemOf(response).code]).toEqual([404, 'MILLRACE_BATCH_NOT_FOUND']);
    }
    const foreign = await post('/v1/batches', { ...order, team: 'other' });
    expect([foreign.statusCode, problemOf(foreign).code]).toEqual([403, 'MILLRACE_FORBIDDEN']);
    const ofOther = await put(id, ticket('x', { team: 'other' }));
    expect(problemOf(ofOther).faults).toEqual([
      { field: 'line 1, team', problem: 'must be "support", the team of the API key' },
    ]);
    expect((await put(id, ticket('x', { team: 'other' }), { holder: key })).statusCode).toBe(200);
    expect(await itemsOf(id)).toMatchObject([{ team: 'other' }]);
  });

  it('is discarded, and its name is free', async () => {
    const id = await newBatch();
    await put(id, ticket('x'));
    expect((await post(`/v1/batches/${id}/discard`, { reason: 'x' })).statusCode).toBe(200);
    expect(await newBatch({ customer: 'globex' })).not.toBe(id);
  });

  it.each<[string, object, number, string]>([
    ['without a name', { name: undefined }, 400, 'MILLRACE_REQUEST_INVALID'],
    ['with a setting that is not known', { settings: { chunks: 1 } }, 400, 'MILLRACE_REQUEST_INVALID'],
    [
      'with a validator that nobody has',
      { settings: { quality: { validator: 'nobody' } } },
      400,
      'MILLRACE_REQUEST_INVALID',
    ],
    [
      'with a webhook that nobody configured',
      { settings: { notify: { webhook: 'nobody' } } },
      400,
      'MILLRACE_REQUEST_INVALID',
    ],
    [
      'with a webhook of another team',
      { settings: { notify: { webhook: 'others' } } },
      400,
      'MILLRACE_REQUEST_INVALID',
    ],
    ['of a pipeline that is not there', { pipeline: 'nothing' }, 422, 'MILLRACE_BATCH_TYPE_UNCLEAR'],
    ['of a version that is not there', { version: 2 }, 422, 'MILLRACE_MESSAGE_VERSION_UNSUPPORTED'],
    ['with a deadline that is over', { deadline: '2020-01-01T00:00:00Z' }, 400, 'MILLRACE_REQUEST_INVALID'],
    ['with a deadline too late', { deadline: '9999-12-31T23:59:59-14:00' }, 400, 'MILLRACE_REQUEST_INVALID'],
    ['with a name that paths leave out', { name: '..' }, 400, 'MILLRACE_REQUEST_INVALID'],
    ['with a name like an id', { name: newId(new Date()) }, 400, 'MILLRACE_REQUEST_INVALID'],
    ['with a name that hides characters', { name: 'a\u200bb' }, 400, 'MILLRACE_REQUEST_INVALID'],
  ])('is not made %s', async (_, more, status, code) => {
    const refused = await post('/v1/batches', { ...order, ...more });
    expect([refused.statusCode, problemOf(refused).code], refused.text).toEqual([status, code]);
    if (status === 400) expect(problemOf(refused).faults?.[0]?.field).toMatch(/^(?:name|settings|deadline)/);
  });
});

describe('an upload', () => {
  /** One that has arrived in part, at an application with a clock in hand. */
  async function began(application: NestFastifyApplication, id: string, firstPart: string) {
    const server: Server = application.getHttpServer();
    if (!server.listening) await application.listen(0, '127.0.0.1');
    const { port } = new URL(await application.getUrl());
    const socket = connect(Number(port), '127.0.0.1');
    socket.on('error', () => undefined);
    let answer = '';
    socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
    const closed = once(socket, 'close').then(() => answer);
    const head = [
      `PUT /v1/batches/${id}/items HTTP/1.1`,
      'host: localhost',
      `authorization: Bearer ${teamKey}`,
      `content-type: ${jsonLines}`,
      'content-length: 100000',
    ];
    socket.write(`${head.join('\r\n')}\r\n\r\n${firstPart}`);
    const isReceived = async (): Promise<boolean> => {
      const { rows } = await fixture.database.query<{ upload_state: string }>(
        { name: 'test.upload_state', text: 'select upload_state from millrace.batches where id = $1' },
        [id],
      );
      return rows[0]?.upload_state === 'receiving';
    };
    await expect.poll(isReceived).toBe(true);
    return { socket, closed };
  }

  it('of which nothing arrives any more is given up, and leaves the batch to another one', async () => {
    const clock = new ManualClock();
    const limits = new RequestLimits(defaultRequestLimits, clock);
    const timed = await startApi(fixture.services(), { limits, clock });
    const id = await newBatch();
    const { closed } = await began(timed, id, ticket('x'));
    await expect
      .poll(async () => {
        clock.advance(defaultRequestLimits.bodyTimeoutMs);
        return await Promise.race([closed, Promise.resolve('')]);
      })
      .toMatch(/^HTTP\/1.1 408 /);
    expect(await closed).toContain('MILLRACE_REQUEST_TIMEOUT');
    expect((await post(`/v1/batches/${id}/start`, {})).statusCode).toBe(409);
    expect((await put(id, ticket('x'))).statusCode).toBe(200);
    await timed.close();
  });

  it('whose connection ends leaves nothing that could be started', async () => {
    const id = await newBatch();
    const listening = await startApi(fixture.services());
    const { socket } = await began(listening, id, ticket('x').repeat(100));
    socket.destroy();
    await listening.close();
    const start = await post(`/v1/batches/${id}/start`, {});
    expect([start.statusCode, problemOf(start).code]).toEqual([409, 'MILLRACE_BATCH_STATE']);
    expect(problemOf(start).detail).toMatch(/under way, or broke off/);
  });

  it('counts as a largest body among those in progress, for its key and for all', async () => {
    const limits = new RequestLimits(
      { ...defaultRequestLimits, bodyBytes: 100_000, bodyBytesInFlight: 250_000 },
      systemClock,
    );
    const bounded = await startApi(fixture.services(), { limits });
    const id = await newBatch();
    const { socket } = await began(bounded, id, ticket('x'));
    const second = await requestTo(bounded)
      .put(`/v1/batches/${id}/items`)
      .set({ authorization: `Bearer ${teamKey}`, 'content-type': jsonLines })
      .send(ticket('x'));
    expect([second.statusCode, problemOf(second).code]).toEqual([429, 'MILLRACE_RATE_LIMITED']);
    socket.destroy();
    await expect
      .poll(async () => {
        const third = await requestTo(bounded)
          .put(`/v1/batches/${id}/items`)
          .set({ authorization: `Bearer ${teamKey}`, 'content-type': jsonLines })
          .send(ticket('x'));
        return third.statusCode;
      })
      .toBe(200);
    await bounded.close();
  });
});
