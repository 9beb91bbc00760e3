import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { newId, type Uuid } from '../../src/kernel/ids.ts';
import { type Usd, usd } from '../../src/kernel/money.ts';
import type { SettledCall } from '../../src/engine/ledger/call-ledger.ts';
import { CorrectionLedger } from '../../src/engine/ledger/correction-ledger.ts';
import { UsageExporter } from '../../src/engine/export/usage-exporter.ts';
import { bareEngineCatalogue } from '../../src/engine/metrics/engine-metrics.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { ExportLedger, exportTargets } from '../../src/engine/export/export-ledger.ts';
import { oddTexts } from '../support/poison.ts';
import { LedgerHarness, someAdmission, someReservation, someSettlement } from '../support/ledger-fixture.ts';
import { waitingColumnStore } from '../support/waiting-column-store.ts';
import { pruneAll } from '../support/prune-all.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What the ledger promises about the records that it renders from its rows, on whichever database. */
export function exportRecordsContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`records for the column store on ${name}`, () => {
    let harness: LedgerHarness;
    let database: SqlDatabase;

    beforeEach(async () => {
      harness = await LedgerHarness.begin(await open());
      ({ database } = harness);
    });

    const fieldsOf = (line: string | undefined) => JSON.parse(line ?? '{}') as Fields;
    const exports = () => new ExportLedger(database);
    const bind = () => exports().bind(newId(new Date()), 'usage', 100);
    const read = async (text: string, id: Uuid) =>
      (await database.query<Readonly<Record<string, string>>>({ name: `test.${text.length}`, text }, [id]))
        .rows[0] ?? {};

    /** A call of a message, reserved. */
    async function reserved(parts: Parameters<typeof someReservation>[0] | object = {}) {
      const message = await harness.admitted();
      const { fencingToken } = await harness.leased(message);
      const call = newId(new Date());
      await harness.calls.reserve(
        someReservation({ id: call, message: { id: message, fencingToken }, ...parts }),
      );
      return { call, message, fencingToken };
    }

    const text = fc.oneof(fc.constantFrom(...oddTexts, 'plain', 'a "b" \\ \n\t\u0001 é 漢 😀'), fc.string());
    const amount = fc
      .bigInt({ min: 0n, max: 10n ** 30n })
      .map((atto) => usd(`${atto / 10n ** 18n}.${String(atto % 10n ** 18n).padStart(18, '0')}`));
    const maybe = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });
    const storable = text.filter((value) => value.isWellFormed() && !value.includes('\0'));
    const settlement = fc.record({
      state: fc.constantFrom('settled', 'unsettled'),
      outcome: fc.constantFrom('ok', 'error', 'cancelled', 'unsettled'),
      settlement: fc.constantFrom('reported', 'estimated', 'free', 'unsettled'),
      errorType: maybe(storable),
      answeredModel: maybe(storable),
      tier: storable,
      providerRequestId: maybe(storable),
      tokens: fc.record(
        { uncached_input: fc.maxSafeNat(), cache_read: fc.nat(), text_output: fc.nat() },
        { requiredKeys: [] },
      ),
      rawUsage: maybe(storable),
      costUsd: maybe(amount),
      upperBoundUsd: maybe(amount),
      priceReference: maybe(storable),
      wasteReason: fc.constantFrom(undefined, 'failed', 'invalid_output'),
      durationMs: fc.nat(1e6),
      firstChunkMs: maybe(fc.nat(1e6)),
      isSuspect: fc.boolean(),
      verdict: fc.constantFrom(undefined, 'accepted', 'escalated'),
      cascadeUsd: maybe(amount),
      cost: maybe(fc.record({ total: amount, request: amount, byClass: fc.record({ text_output: amount }) })),
    }) as fc.Arbitrary<Omit<SettledCall, 'id'>>;

    it('say of a call what its settlement said, whatever its texts and amounts', async () => {
      const origin = {
        team: 'blue',
        customer: 'acme "2"',
        feature: 'x',
        batch: 'b',
        labels: { 'a"': 'é\n' },
      };
      const admission = someAdmission({ origin, item: 'a "file"\t' });
      await harness.ledger.admit(admission);
      const { id: message } = admission.envelope;
      const { fencingToken } = await harness.leased(message);
      await fc.assert(
        fc.asyncProperty(settlement, fc.boolean(), storable, async (end, isOutside, step) => {
          const call = newId(new Date());
          const owner = isOutside
            ? { message: undefined, origin }
            : { message: { id: message, fencingToken } };
          const reservation = someReservation({
            id: call,
            step,
            fallbackFrom: 'a/b',
            cascade: { place: 1, models: 2 },
            ...owner,
          });
          expect(await harness.calls.reserve(reservation)).toMatchObject({ kind: 'reserved' });
          expect(await harness.calls.settle(someSettlement({ id: call, ...end }))).toBe(true);
          const line = (await harness.outbox('usage')).at(-1);
          const times = await read(
            `select to_char(reserved_at, 'YYYY-MM-DD HH24:MI:SS.MS') as ts, to_char(settled_at, 'YYYY-MM-DD HH24:MI:SS.MS') as recorded_at
             from millrace.calls where id = $1::uuid`,
            call,
          );
          const about = isOutside
            ? { pipeline: '', stage: '', owner: '' }
            : {
                pipeline: admission.envelope.pipeline,
                stage: admission.envelope.stage,
                owner: admission.envelope.owner,
                message_id: message,
                root_id: message,
                item: 'a "file"\t',
                trace_id: admission.envelope.traceParent.slice(3, 35),
              };
          const { provider, model, operation, requestKind, attempt } = reservation;
          expect(comparable(fieldsOf(line))).toEqual(
            comparable({
              record_id: call,
              record_kind: 'call',
              call_id: call,
              ...times,
              ...about,
              ...origin,
              step,
              attempt,
              provider,
              model,
              operation,
              request_kind: requestKind,
              fallback_from: 'a/b',
              cascade_place: 1,
              cascade_models: 2,
              ...fieldsOfEnd({ ...someSettlement({ id: call }), ...end }),
            }),
          );
        }),
        { numRuns: 60 },
      );
    });

    it('say of a message that completed how it went', async () => {
      const origin = { team: 'blue', customer: 'acme', feature: 'x', batch: 'b' };
      const admission = someAdmission({ origin, item: 'readme "1"' });
      await harness.ledger.admit(admission);
      const { id } = admission.envelope;
      const { fencingToken } = await harness.leased(id);
      await database.execute(
        `update millrace.messages set available_at = leased_at - interval '1500 ms', admitted_at = admitted_at - interval '1 hour',
           attempts = 2, prior_attempts = 3, invalid_output_attempts = 1`,
      );
      await harness.ledger.finish({ id, fencingToken, result: undefined, emissions: [], durationMs: 12.4 });
      const [line, ...others] = await harness.outbox('message_outcomes');
      expect(others).toEqual([]);
      const { ts = '', age = '' } = await read(
        `select to_char(finished_at, 'YYYY-MM-DD HH24:MI:SS.MS') as ts,
           trunc(extract(epoch from finished_at - admitted_at) * 1000)::text as age from millrace.messages where id = $1::uuid`,
        id,
      );
      const { pipeline, stage, owner, traceParent } = admission.envelope;
      expect(fieldsOf(line)).toEqual({
        message_id: id,
        root_id: id,
        ts,
        pipeline,
        stage,
        owner,
        ...origin,
        item: 'readme "1"',
        outcome: 'completed',
        attempts: 7,
        deliveries: 1,
        duration_ms: 12,
        wait_ms: 1500,
        age_ms: Number(age),
        trace_id: traceParent.slice(3, 35),
      });
      expect(Number(age)).toBeGreaterThanOrEqual(3_600_000);
    });

    it('say nothing of a decision in a cascade that came after them; the first decision stands', async () => {
      const { call } = await reserved({ cascade: { place: 1, models: 2 } });
      await harness.calls.settle(someSettlement({ id: call }));
      const [record] = await harness.outbox('usage');
      const decide = (verdict: 'accepted' | 'escalated', line: string) =>
        harness.calls.cascades.decide({ id: call, verdict, cascadeUsd: usd('3'), line });
      expect(await decide('accepted', '{"n":1}')).toBe('accepted');
      expect(await decide('escalated', '{"n":2}')).toBe('accepted');
      expect(await harness.outbox('usage')).toEqual([record, '{"n":1}']);
      expect(record).not.toContain('cascade_verdict');
      const answered = await harness.calls.invalidOutputs.findAnswered(call);
      if (answered === undefined) throw new Error('the call has no answer');
      expect(answered).toMatchObject({ verdict: 'accepted', cascade: { place: 1, models: 2 } });
      expect(await harness.calls.invalidOutputs.reject(answered, ['{"n":3}', '{"n":4}'])).toBe(true);
      // A rejected answer is not decided about any more.
      expect(await decide('accepted', '{"n":5}')).toBe('escalated');
    });

    it('say what a call said when they were written, whatever becomes of it before they are exported', async () => {
      const settled = await reserved();
      const given = await reserved();
      await harness.calls.settle(someSettlement({ id: settled.call }));
      await harness.calls.settle(
        someSettlement({ id: given.call, state: 'unsettled', settlement: 'unsettled', costUsd: undefined }),
      );
      const [first, second] = await harness.outbox('usage');
      const bound = await bind();
      expect(bound?.lines).toEqual([first, second]);
      const answered = await harness.calls.invalidOutputs.findAnswered(settled.call);
      if (answered === undefined) throw new Error('the call has no answer');
      expect(await harness.calls.invalidOutputs.reject(answered, ['{"n":1}', '{"n":2}'])).toBe(true);
      await correct(settled.call, usd('7'));
      expect(await harness.calls.settleLate(someSettlement({ id: given.call }), ['{"n":4}'])).toBe(true);
      const corrections = ['{"n":1}', '{"n":2}', '{"n":3}', '{"n":4}'];
      expect(await harness.outbox('usage')).toEqual([first, second, ...corrections]);
      expect(await read(`select waste_reason as w from millrace.calls where id = $1`, settled.call)).toEqual({
        w: 'invalid_output',
      });
      // Whoever reads the batch again, after a death, gets the same bytes.
      const batch = { id: bound?.id ?? '', target: 'usage' } as const;
      expect(await exports().read(batch)).toEqual(bound);
      await exports().markExported(batch.id);
      expect(await harness.outbox('usage')).toEqual(corrections);
      // What was exported is not brought back by a change after that.
      await correct(given.call, usd('8'));
      expect((await bind())?.lines).toEqual([...corrections, '{"n":3}']);
    });

    it('take lines that an earlier version rendered with those that they render, in order', async () => {
      const one = await reserved();
      await harness.calls.settle(someSettlement({ id: one.call }));
      await database.execute(`insert into millrace.outbox (target, line) values ('usage', '{"old":1}')`);
      const two = await reserved();
      await harness.calls.settle(someSettlement({ id: two.call }));
      const lines = (await bind())?.lines.map((line) => fieldsOf(line));
      expect(lines).toMatchObject([{ call_id: one.call }, { old: 1 }, { call_id: two.call }]);
    });

    it('keep the rows that they are about from being pruned until they are exported', async () => {
      const { call, message, fencingToken } = await reserved();
      await harness.calls.settle(someSettlement({ id: call }));
      await harness.ledger.finish({
        id: message,
        fencingToken,
        result: undefined,
        emissions: [],
        durationMs: 1,
      });
      await database.execute(
        `update millrace.calls set settled_at = settled_at - interval '2 days';
         update millrace.messages set created_at = created_at - interval '2 days', finished_at = finished_at - interval '2 days'`,
      );
      // The age of the oldest record says nothing of a row whose own times are wrong: the call's place in the outbox does.
      const prune = () => pruneAll(database, { finishedMs: 86_400_000, exportedMs: 86_400_000 }, 100);
      expect(await prune()).toMatchObject({ calls: 0, messages: 0 });
      for (const target of exportTargets) {
        const batch = await exports().bind(newId(new Date()), target, 100);
        expect(batch?.lines).toHaveLength(1);
        await exports().markExported(batch?.id ?? '');
      }
      expect(await prune()).toMatchObject({ calls: 1, messages: 1 });
    });

    it('are all written when a drain ends, those that another turn has bound as well', async () => {
      const { call } = await reserved();
      await harness.calls.settle(someSettlement({ id: call }));
      const { store, began, letGo } = waitingColumnStore();
      const exporter = new UsageExporter({
        ledger: exports(),
        store,
        clock: systemClock,
        logger: silentLogger,
        metrics: createMetrics(bareEngineCatalogue),
      });
      const turn = exporter.exportNext();
      await began;
      let leftAtEnd: number | undefined;
      const drained = exporter.drain().then(async () => {
        leftAtEnd = (await exports().backlog()).records;
      });
      await exports().backlog();
      expect(leftAtEnd).toBeUndefined();
      letGo();
      await Promise.all([turn, drained]);
      expect(leftAtEnd).toBe(0);
    });

    it('stay, and are seen to, when the row that they are about is gone', async () => {
      const gone = await reserved();
      await harness.calls.settle(someSettlement({ id: gone.call }));
      const kept = await reserved();
      await harness.calls.settle(someSettlement({ id: kept.call }));
      await database.execute(`delete from millrace.calls where id = '${gone.call}'`);
      const batch = await bind();
      expect(batch?.lines.map((line) => fieldsOf(line)['call_id'])).toEqual([kept.call]);
      await exports().markExported(batch?.id ?? '');
      expect(await bind()).toBeUndefined();
      expect(await exports().backlog()).toMatchObject({ records: 1, openBatches: 0 });
    });

    it('of rows that someone removed hold up no others, and say so where they are bound already', async () => {
      const settled = async () => {
        const { call, message, fencingToken } = await reserved();
        await harness.calls.settle(someSettlement({ id: call }));
        return { call, message, fencingToken };
      };
      const remove = (call: Uuid) => database.execute(`delete from millrace.calls where id = '${call}'`);
      const bound = await settled();
      const batch = newId(new Date());
      expect((await exports().bind(batch, 'usage', 10))?.lines).toHaveLength(1);
      await remove(bound.call);
      await expect(exports().read({ id: batch, target: 'usage' })).rejects.toMatchObject({
        code: 'MILLRACE_EXPORT_INCONSISTENT',
      });
      // As many at the head as a batch has.
      const gone = await settled();
      const kept = await settled();
      await remove(gone.call);
      const next = await exports().bind(newId(new Date()), 'usage', 1);
      expect(next?.lines.map((line) => fieldsOf(line)['call_id'])).toEqual([kept.call]);
    });

    async function correct(id: Uuid, costUsd: Usd): Promise<void> {
      const ledger = new CorrectionLedger(database);
      const call = await ledger.find(id);
      if (call === undefined) throw new Error(`call ${id} has not ended`);
      const truth = {
        tokens: { text_output: 9 },
        costUsd,
        priceReference: undefined,
        priceCatalogue: undefined,
        costDetail: undefined,
      };
      const audit = { id: newId(new Date()), actor: 'ann', target: `call ${id}`, reason: 'test', detail: {} };
      expect(await ledger.correct({ call, ...truth, line: '{"n":3}' }, audit)).toBe(true);
    }
  });
}

/** The fields of the record of a call that ended so. */
function fieldsOfEnd(end: SettledCall): Fields {
  const isUnsettled = end.state === 'unsettled';
  const cost = isUnsettled && end.upperBoundUsd !== undefined ? (end.costUsd ?? usd('0')) : end.costUsd;
  const { byClass = {}, request } = end.cost ?? {};
  return {
    outcome: end.outcome,
    settlement: end.settlement,
    tier: end.tier,
    calls: 1,
    unpriced_calls: cost === undefined ? 1 : 0,
    unsettled_calls: end.settlement === 'unsettled' ? 1 : 0,
    estimated_calls: end.settlement === 'estimated' ? 1 : 0,
    suspect_calls: end.isSuspect === true ? 1 : undefined,
    error_type: end.errorType,
    answered_model: end.answeredModel,
    provider_request_id: end.providerRequestId,
    raw_usage: end.rawUsage,
    cost_usd: cost,
    upper_bound_usd: end.upperBoundUsd,
    price_reference: end.priceReference,
    price_catalogue: end.priceCatalogue,
    waste_reason: end.wasteReason,
    is_waste: end.wasteReason === undefined ? undefined : 1,
    cascade_verdict: end.verdict,
    cascade_usd: end.cascadeUsd,
    cascade_unvalued: end.verdict === 'accepted' && end.cascadeUsd === undefined ? 1 : undefined,
    duration_ms: end.durationMs,
    first_chunk_ms: end.firstChunkMs,
    ...Object.fromEntries(Object.entries(end.tokens).map(([name, count]) => [`tokens_${name}`, count])),
    ...Object.fromEntries(
      Object.entries({ ...byClass, request })
        .filter(([, part]) => part !== undefined && !part.isZero())
        .map(([name, part]) => [`cost_${name}`, part]),
    ),
  };
}

/** A record with its amounts in one form, and without what is absent. */
function comparable(fields: Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => {
        const isAmount = name.startsWith('cost_') || name === 'upper_bound_usd' || name === 'cascade_usd';
        return [name, isAmount ? usd(String(value)).toFixed() : value];
      }),
  );
}
