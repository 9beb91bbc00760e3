import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { BatchIntake } from '../../src/capabilities/batches/intake/batch-intake.ts';
import { sourceOf } from '../../src/capabilities/batches/batch.ts';
import type { BatchInput } from '../../src/capabilities/batches/intake/input/input-records.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { messageIdOf } from '../../src/engine/pipeline/admissions.ts';
import { AppError } from '../../src/kernel/app-error.ts';
import { batchRequest, intakeOver, lines, tickets } from '../support/batch-intake-fixture.ts';

const operator = { actor: 'test' };
const blue = { ...operator, team: 'blue' };

type Item = { readonly position: number; readonly data: string | null } & Readonly<
  Record<'item_id' | 'state', string>
>;

/** What is promised of batches that come in. */
export function batchIntakeContract(_: string, open: () => Promise<SqlDatabase>): void {
  describe('batches that come in', () => {
    let database: SqlDatabase;
    let intake: BatchIntake;
    beforeAll(async () => {
      database = await open();
      intake = intakeOver(database);
    });
    beforeEach(() => database.execute('delete from millrace.batches'));

    const make = async (name: string, settings: object = {}) =>
      (await intake.create(batchRequest(name, { settings }), operator)).batch;
    const itemsOf = async (id: string) =>
      (
        await database.query<Item>(
          {
            name: 'test.items',
            text: 'select * from millrace.batch_items where batch_id = $1 order by position',
          },
          [id],
        )
      ).rows;
    const chunksOf = async (id: string) =>
      (
        await database.query<{
          chunk: number;
          first_position: number;
          items: number;
          ended: number;
          state: string;
        }>(
          {
            name: 'test.chunks',
            text: 'select chunk, first_position, items, ended, state from millrace.batch_chunks where batch_id = $1 order by chunk',
          },
          [id],
        )
      ).rows;
    const auditOf = async (name: string) =>
      (
        await database.query<{ action: string; affected: number; team: string }>(
          {
            name: 'test.audit',
            text: 'select action, affected, team from millrace.operator_actions where target = $1 order by at, id',
          },
          [`batch ${name}`],
        )
      ).rows;

    it('are made once for the same request, and not for another one of the same name', async () => {
      const first = await intake.create(batchRequest('twice', { labels: { a: '1', b: '2' } }), operator);
      expect(first).toMatchObject({
        isNew: true,
        batch: { type: 'ticket.opened', version: 1, state: 'receiving', uploadState: 'none', items: 0 },
      });
      const again = await intake.create(batchRequest('twice', { labels: { b: '2', a: '1' } }), operator);
      expect(again).toMatchObject({ isNew: false, batch: { id: first.batch.id } });
      await expect(
        intake.create(batchRequest('twice', { labels: { a: '1' } }), operator),
      ).rejects.toMatchObject({
        code: 'MILLRACE_BATCH_EXISTS',
      });
      const other = await intake.create(batchRequest('twice', { team: 'red' }), operator);
      expect(other.isNew).toBe(true);
      expect(other.batch.id).not.toBe(first.batch.id);
      expect(await auditOf('twice')).toMatchObject([
        { action: 'batches.create', team: 'blue' },
        { action: 'batches.create', team: 'red' },
      ]);
    });

    it('are made by whoever is first, however many ask at once', async () => {
      const made = await Promise.all(
        Array.from({ length: 5 }, () => intake.create(batchRequest('race'), operator)),
      );
      expect(made.filter(({ isNew }) => isNew)).toHaveLength(1);
    });

    it('need a type that is clear, a team that may be, and a deadline that is not over', async () => {
      const refused = async (more: object) => await intake.create(batchRequest('unclear', { ...more }), blue);
      await expect(refused({ pipeline: 'nothing' })).rejects.toThrow(/there are "support"/);
      await expect(refused({ type: 'ticket.closed' })).rejects.toThrow(
        /they consume "ticket.opened", "ticket.sorted"/,
      );
      await expect(refused({ version: 2 })).rejects.toMatchObject({
        code: 'MILLRACE_MESSAGE_VERSION_UNSUPPORTED',
      });
      await expect(refused({ team: 'red' })).rejects.toMatchObject({ code: 'MILLRACE_FORBIDDEN' });
      await expect(refused({ deadline: '2020-01-01T00:00:00Z' })).rejects.toThrow(/deadline: is over/);
      await expect(intake.create(batchRequest('x', { team: undefined }), operator)).rejects.toThrow(
        /team: is missing/,
      );
      const { batch } = await intake.create(
        batchRequest('x', { team: undefined, type: 'ticket.sorted' }),
        blue,
      );
      expect(batch).toMatchObject({ type: 'ticket.sorted', origin: { team: 'blue' } });
    });

    it('keep their items in order, in chunks, with the ids that their messages will have', async () => {
      const batch = await make('orderly', { chunk: { items: 200 } });
      const taken = await intake.upload(batch.id, lines(tickets(1234), {}, 997), blue);
      expect(taken).toMatchObject({
        batch: { uploadState: 'complete', items: 1234, chunks: 7, state: 'receiving' },
        faultCount: 0,
      });
      const items = await itemsOf(batch.id);
      expect(items.map(({ position }) => position)).toEqual(Array.from({ length: 1234 }, (_, at) => at + 1));
      expect(items[1233]).toMatchObject({
        item_id: 't-1234',
        chunk: 7,
        message_id: messageIdOf('blue', sourceOf(batch.id), 't-1234'),
        customer: null,
        team: null,
        labels: null,
        data: '{"subject":"subject 1234"}',
        state: 'waiting',
      });
      expect(taken.batch.inputBytes).toBe(items.reduce((sum, { data }) => sum + (data?.length ?? 0), 0));
      expect(await chunksOf(batch.id)).toEqual(
        [1, 2, 3, 4, 5, 6, 7].map((chunk) => ({
          chunk,
          first_position: (chunk - 1) * 200 + 1,
          items: chunk === 7 ? 34 : 200,
          ended: 0,
          state: 'waiting',
        })),
      );
    });

    it('may have items with ids by position, and with customers, teams and labels of their own', async () => {
      const { batch } = await intake.create(batchRequest('named', { labels: { run: '1' } }), operator);
      const items = [
        { data: { subject: 'a' } },
        { data: { subject: 'b' }, customer: 'globex', labels: { region: 'eu' } },
        { data: { subject: 'c' }, team: 'red' },
        { data: { subject: 'd' }, customer: 'acme', team: 'blue' },
      ];
      await intake.upload(batch.id, lines(items), {});
      expect(await itemsOf(batch.id)).toMatchObject([
        { item_id: '1', customer: null, team: null },
        { item_id: '2', customer: 'globex', team: null, labels: '{"run":"1","region":"eu"}' },
        { item_id: '3', team: 'red', message_id: messageIdOf('red', sourceOf(batch.id), '3') },
        { item_id: '4', customer: null, team: null, labels: null },
      ]);
      await expect(intake.upload(batch.id, lines(items), blue)).rejects.toMatchObject({
        code: 'MILLRACE_BATCH_INPUT_INVALID',
        faults: [{ field: 'line 3, team', problem: 'must be "blue", the team of the API key' }],
      });
    });

    it('tell every fault by its line, and keep nothing of an input that has one', async () => {
      const batch = await make('faulty');
      const content = [
        '{"id":"a","data":{"subject":"fine"}}',
        '{"id":"b","data":{"subject":""}}',
        'not json',
        '{"id":"a","data":{"subject":"again"}}',
        '{"id":"millrace:x","data":{"subject":"reserved"},"customer":" "}',
        `{"id":"big","data":{"subject":"${'x'.repeat(3000)}"}}`,
        '{"id":"deep","data":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}',
        '{"id":"a","data":{"subject":"and again"}}',
        '{"id":"ok","data":{"subject":"fine","urgent":true}}',
      ].join('\n');
      const error = await intake.upload(batch.id, lines(content), blue).catch((thrown: unknown) => thrown);
      if (!(error instanceof AppError)) throw new Error('It is refused.');
      expect(error).toMatchObject({ code: 'MILLRACE_BATCH_INPUT_INVALID', status: 422 });
      expect(error.faults.map(({ field }) => field)).toEqual([
        'line 2, data.subject',
        'line 3',
        'line 4, id',
        'line 5, id',
        'line 5, customer',
        'line 6, data',
        'line 7, data.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0',
        'line 8, id',
      ]);
      expect(error.faults[2]?.problem).toBe('"a" is the id of item 1 too');
      expect(error.message).toMatch(/^The input has 8 faults: .*; and 3 more\.$/);
      expect(await intake.find(batch.id, {})).toMatchObject({ uploadState: 'faulty', items: 0, chunks: 0 });
      expect(await itemsOf(batch.id)).toEqual([]);
      expect(await chunksOf(batch.id)).toEqual([]);
      await expect(intake.start(batch.id, '', operator)).rejects.toThrow(/an input with faults/);
    });

    it('count more faults than they list', async () => {
      const batch = await make('many faults');
      const error = await intake
        .upload(batch.id, lines('x\n'.repeat(1500)), blue)
        .catch((thrown: unknown) => thrown);
      if (!(error instanceof AppError)) throw new Error('It is refused.');
      expect(error.faults).toHaveLength(1000);
      expect(error.message).toContain('1500 faults');
      expect(error.message).toContain('The first 1000 are listed.');
    });

    it('leave faulty items out where that is asked for, and say which', async () => {
      const batch = await make('skipping', { onInvalid: 'skip', chunk: { items: 2 } });
      const content = [
        '{"id":"a","data":{"subject":"fine"}}',
        '{"id":"b","data":{}}',
        'not json',
        '{"id":"a","data":{"subject":"again"}}',
        '{"id":"c","data":{"subject":"fine"}}',
      ].join('\n');
      const taken = await intake.upload(batch.id, lines(content), blue);
      expect(taken).toMatchObject({
        faultCount: 3,
        batch: { uploadState: 'complete', items: 5, chunks: 3, ended: { skipped: 3 } },
      });
      expect(await itemsOf(batch.id)).toMatchObject([
        { item_id: 'a', state: 'waiting', chunk: 1 },
        { item_id: 'b', state: 'skipped', chunk: 1, data: null },
        {
          item_id: '3',
          state: 'skipped',
          chunk: 2,
          error_message: expect.stringMatching(/^is not JSON/) as unknown,
        },
        {
          item_id: 'millrace:skipped:4',
          state: 'skipped',
          chunk: 2,
          error_message: 'id: "a" is the id of item 1 too',
        },
        { item_id: 'c', state: 'waiting', chunk: 3 },
      ]);
      expect(await chunksOf(batch.id)).toMatchObject([
        { chunk: 1, items: 2, ended: 1, state: 'waiting' },
        { chunk: 2, items: 2, ended: 2, state: 'done' },
        { chunk: 3, items: 1, ended: 0, state: 'waiting' },
      ]);
      expect(await intake.start(batch.id, '', operator)).toMatchObject({ state: 'running' });
    });

    it('refuse an input that is of no use as a whole, whatever may be left out', async () => {
      const batch = await make('useless', { onInvalid: 'skip' });
      const refusal = async (input: BatchInput) =>
        await intake.upload(batch.id, input, blue).catch((error: unknown) => error);
      expect(await refusal(lines(''))).toMatchObject({
        faults: [{ field: 'input', problem: 'has no items' }],
      });
      const notUtf8 = Buffer.concat([Buffer.from('{"data":{"subject":"a"}}\n"'), Buffer.from([0xff, 0x22])]);
      expect(await refusal(lines(notUtf8))).toMatchObject({
        faults: [{ field: 'line 2', problem: 'is not UTF-8' }],
      });
      expect(await refusal({ ...lines('text,subject\n1,"'), format: 'csv' })).toMatchObject({
        code: 'MILLRACE_BATCH_INPUT_INVALID',
      });
      expect(await refusal(lines(tickets(5001)))).toMatchObject({
        faults: [{ field: 'line 5001', problem: expect.stringMatching(/more than 5000 items/) as unknown }],
      });
      const skippedOnly = lines('x\ny\n');
      expect(await refusal(skippedOnly)).toMatchObject({ batch: { items: 2, ended: { skipped: 2 } } });
      await expect(intake.start(batch.id, '', operator)).rejects.toThrow(/no items that can be run/);
    });

    it('refuse an input that is too large, and take another one after it', async () => {
      const small = intakeOver(database, { bounds: { decodedBytes: 500, uploadBytes: 3000 } });
      const batch = await make('too large');
      await expect(small.upload(batch.id, lines(tickets(100)), blue)).rejects.toMatchObject({
        code: 'MILLRACE_REQUEST_TOO_LARGE',
      });
      await expect(small.upload(batch.id, lines(tickets(30)), blue)).rejects.toMatchObject({
        code: 'MILLRACE_REQUEST_TOO_LARGE',
      });
      expect(await intake.find(batch.id, {})).toMatchObject({ uploadState: 'receiving' });
      await expect(intake.start(batch.id, '', operator)).rejects.toThrow(/under way, or broke off/);
      expect(await small.upload(batch.id, lines(tickets(3)), blue)).toMatchObject({ batch: { items: 3 } });
    });

    it('take the items of the later upload, whenever the earlier one ends', async () => {
      const batch = await make('replaced', { chunk: { items: 100 } });
      await intake.upload(batch.id, lines(tickets(3000)), blue);
      let second: Promise<unknown> = Promise.resolve();
      async function* interrupted(): AsyncGenerator<Uint8Array> {
        const text = tickets(1200).map((item) => `${JSON.stringify(item)}\n`);
        yield Buffer.from(text.slice(0, 700).join(''));
        second = intake.upload(batch.id, lines(tickets(600).slice(100)), blue);
        await second;
        yield Buffer.from(text.slice(700).join(''));
      }
      const first = intake.upload(batch.id, { ...lines(''), bytes: interrupted() }, blue);
      await expect(first).rejects.toMatchObject({ code: 'MILLRACE_BATCH_UPLOAD_REPLACED' });
      expect(await second).toMatchObject({ batch: { items: 500, chunks: 5, uploadState: 'complete' } });
      const items = await itemsOf(batch.id);
      expect(items.map(({ item_id: id }) => id)).toEqual(
        Array.from({ length: 500 }, (_, at) => `t-${at + 101}`),
      );
      expect(await chunksOf(batch.id)).toHaveLength(5);
    });

    it('are whole after several uploads at once', async () => {
      const batch = await make('at once');
      const outcomes = await Promise.allSettled(
        [700, 800, 900].map(async (count) => await intake.upload(batch.id, lines(tickets(count)), blue)),
      );
      const won = outcomes.filter(({ status }) => status === 'fulfilled');
      expect(won.length).toBeGreaterThanOrEqual(1);
      const found = await intake.find(batch.id, {});
      expect(found.uploadState).toBe('complete');
      const items = await itemsOf(batch.id);
      expect(items).toHaveLength(found.items);
      const chunks = await chunksOf(batch.id);
      expect(chunks.reduce((sum, { items: count }) => sum + count, 0)).toBe(found.items);
    });

    it('are started once, with a complete upload, and take no items then', async () => {
      const batch = await make('started');
      await expect(intake.start(batch.id, '', operator)).rejects.toThrow(/no items yet/);
      await intake.upload(batch.id, lines(tickets(3)), blue);
      const started = await intake.start(batch.id, 'it is time', operator);
      expect(started).toMatchObject({ state: 'running', items: 3 });
      expect(await intake.start(batch.id, 'again', operator)).toEqual(started);
      await expect(intake.upload(batch.id, lines(tickets(4)), blue)).rejects.toMatchObject({
        code: 'MILLRACE_BATCH_STATE',
      });
      await expect(intake.discard(batch.id, '', operator)).rejects.toThrow(
        /is running: only one that was not started/,
      );
      expect(await itemsOf(batch.id)).toHaveLength(3);
      expect(await auditOf('started')).toMatchObject([
        { action: 'batches.create' },
        { action: 'batches.start', affected: 3, team: 'blue' },
      ]);
      const again = await intake.create(batchRequest('started'), operator);
      expect(again).toMatchObject({ isNew: false, batch: { state: 'running' } });
    });

    it('are started by nobody while another upload is under way', async () => {
      const batch = await make('overtaken');
      await intake.upload(batch.id, lines(tickets(3)), blue);
      async function* startedMeanwhile(): AsyncGenerator<Uint8Array> {
        await expect(intake.start(batch.id, '', operator)).rejects.toThrow(/under way/);
        yield Buffer.from('{"data":{"subject":"a"}}');
      }
      await intake.upload(batch.id, { ...lines(''), bytes: startedMeanwhile() }, blue);
      expect(await intake.start(batch.id, '', operator)).toMatchObject({ state: 'running', items: 1 });
    });

    it('that are discarded are gone, with their items, and free their names', async () => {
      const batch = await make('discarded', { chunk: { items: 100 } });
      await intake.upload(batch.id, lines(tickets(2500)), blue);
      expect(await intake.discard(batch.id, 'a mistake', operator)).toMatchObject({ items: 2500 });
      await expect(intake.find(batch.id, {})).rejects.toMatchObject({ code: 'MILLRACE_BATCH_NOT_FOUND' });
      expect(await itemsOf(batch.id)).toEqual([]);
      expect((await auditOf('discarded')).at(-1)).toMatchObject({
        action: 'batches.discard',
        affected: 2500,
      });
      expect(await intake.create(batchRequest('discarded', { customer: 'other' }), operator)).toMatchObject({
        isNew: true,
      });
    });

    it('of other teams are not there', async () => {
      const batch = await make('hidden');
      const red = { actor: 'test', team: 'red' };
      const notFound = { code: 'MILLRACE_BATCH_NOT_FOUND' };
      await expect(intake.find(batch.id, red)).rejects.toMatchObject(notFound);
      await expect(intake.upload(batch.id, lines(tickets(1)), red)).rejects.toMatchObject(notFound);
      await expect(intake.estimate(batch.id, red)).rejects.toMatchObject(notFound);
      await expect(intake.start(batch.id, '', red)).rejects.toMatchObject(notFound);
      await expect(intake.discard(batch.id, '', red)).rejects.toMatchObject(notFound);
      await expect(intake.find('no id', {})).rejects.toMatchObject(notFound);
      expect(await intake.find(batch.id, blue)).toMatchObject({ uploadState: 'none' });
    });

    it('are left as they were where an input is confirmed by nobody', async () => {
      const batch = await make('unconfirmed');
      const changed = new AppError('MILLRACE_REQUEST_INVALID', 'changed');
      const upload = intake.upload(batch.id, lines(tickets(3)), blue, () => Promise.reject(changed));
      await expect(upload).rejects.toBe(changed);
      await expect(intake.start(batch.id, '', operator)).rejects.toThrow(/broke off/);
    });
  });
}
