import { beforeEach, describe, expect, it } from 'vitest';
import { statusPartsOf } from '../../src/host/host-status.ts';
import { readStatusDocument, type StatusDocument, statusSchemaOf } from '../../src/host/status-document.ts';
import { AppError } from '../../src/kernel/app-error.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { Parked, type ParkedOptions } from '../../src/engine/parked.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { BudgetLedger } from '../../src/capabilities/budgets/budget-ledger.ts';
import { Blocks } from '../../src/engine/ledger/blocks.ts';
import { maxCounted } from '../../src/engine/ledger/wait-sql.ts';
import type { WaitReport } from '../../src/host/wait-reports.ts';
import { decideFailure } from '../../src/engine/pipeline/failure-policy.ts';
import { waitNameOf } from '../../src/engine/pipeline/wait-name.ts';
import { someBudget } from '../support/budget-fixture.ts';
import { LedgerHarness } from '../support/ledger-fixture.ts';

/** Why work waits: for each reason what the status says of it. */
export function waitsContract(kind: string, open: () => Promise<SqlDatabase>): void {
  describe(`the reasons for which work waits, on ${kind}`, () => {
    let database: SqlDatabase;
    let harness: LedgerHarness;
    beforeEach(async () => {
      database = await open();
      harness = await LedgerHarness.begin(database);
      await database.execute('truncate millrace.model_health, millrace.model_limits');
    });

    const waits = async (): Promise<readonly WaitReport[]> => {
      const schema = statusSchemaOf((await statusPartsOf()).map((part) => part.schema));
      const read = await readStatusDocument({ database, clock: systemClock });
      return (schema.strict().parse(read) as StatusDocument).waits;
    };
    /** A message whose handler threw this, put off or aside as the runner does it. */
    const putOff = async (error: AppError, stage = 'first'): Promise<string> => {
      const id = await harness.admitted(stage);
      const { fencingToken } = await harness.leased(id);
      const policy = { maxAttempts: 4, backoffMs: [60_000], jitter: 0 };
      const decision = decideFailure({
        error,
        attemptsBefore: 0,
        invalidOutputsBefore: 0,
        policy,
        invalidOutputPolicy: policy,
        interrupted: false,
        random: 0.5,
      });
      if (decision.kind === 'park') {
        const { delayMs, parkedFor } = decision;
        await harness.ledger.park({
          id,
          fencingToken,
          delayMs,
          parkedFor,
          waitsFor: waitNameOf(decision, error),
        });
      } else if (decision.kind === 'retry') {
        const { delayMs, isInvalidOutput } = decision;
        const waitsFor = waitNameOf(decision, error);
        await harness.ledger.retry({
          id,
          fencingToken,
          delayMs,
          isInvalidOutput,
          code: error.code,
          detail: '{}',
          waitsFor,
        });
      } else throw new Error(`not put off: ${decision.kind}`);
      return id;
    };
    const parked = (options: ParkedOptions, stage?: string) => putOff(new Parked('wait', options), stage);

    it.each([
      ['rate_limit', 'openai/gpt-5-mini', /limit of requests or tokens/],
      ['circuit', 'openai/gpt-5-mini', /circuit of openai\/gpt-5-mini/],
      ['retry_budget', 'openai/gpt-5-mini', /Retries of calls to openai\/gpt-5-mini/],
      ['version', 'thing.happened.v3', /thing\.happened\.v3 is newer/],
    ] as const)(
      'tells %s, of what, how many, since when, until when and what would change it',
      async (reason, about, why) => {
        await parked({ reason, about, delayMs: 60_000 });
        await parked({ reason, about, delayMs: 90_000 }, 'second');
        const [wait, ...more] = await waits();
        expect(more).toEqual([]);
        expect(wait).toMatchObject({
          reason,
          about,
          messages: 2,
          isAtLeast: false,
          stages: ['first', 'second'],
        });
        expect(wait?.why).toMatch(why);
        expect(wait?.change.length).toBeGreaterThan(5);
        const untilMs = Date.parse(wait?.until ?? '') - Date.parse(wait?.since ?? '');
        expect(untilMs).toBeGreaterThan(30_000);
        expect(untilMs).toBeLessThanOrEqual(60_000);
      },
    );

    it('tells what uses up a retry budget beside the messages that wait for it', async () => {
      await database.execute('truncate millrace.model_windows');
      await parked({ reason: 'retry_budget', about: 'openai/gpt-5-mini', delayMs: 60_000 });
      expect((await waits())[0]?.why).toContain('no attempts in the last minute');
      await database.execute(
        `insert into millrace.model_windows (provider, model, window_start, firsts, retries, successes, failures, timeouts)
         select 'openai', 'gpt-5-mini', date_bin('10 seconds', clock_timestamp() - past, timestamptz 'epoch'), 4, 20, 1, 21, 2
         from (values (interval '0'), (interval '20 seconds'), (interval '2 minutes')) w(past)`,
      );
      expect((await waits())[0]?.why).toContain('8 first attempts, 40 retries, 42 failures, 4 time-outs');
    });

    it('tells a pause after a failure from one that the provider asked for', async () => {
      await putOff(new AppError('MILLRACE_PAYLOAD_UNAVAILABLE', 'away'));
      await putOff(new AppError('MILLRACE_MODEL_RATE_LIMITED', 'slow down', { retryAfterMs: 86_400_000 }));
      const found = await waits();
      expect(found).toMatchObject(
        [
          {
            reason: 'retry',
            about: 'MILLRACE_PAYLOAD_UNAVAILABLE',
            messages: 1,
            why: /last attempt failed/,
          },
          { reason: 'retry_after', about: 'MILLRACE_MODEL_RATE_LIMITED', messages: 1, why: /provider said/ },
        ].map(({ why, ...rest }) => ({ ...rest, why: expect.stringMatching(why) })),
      );
      expect(Date.parse(found[1]?.until ?? '') - Date.now()).toBeGreaterThan(86_000_000);
    });

    it('tells a pause with who, why and the command that lifts it, whether messages were put aside or not', async () => {
      const pauses = new Blocks({ database, clock: systemClock });
      const { block: pause } = await pauses.place({
        scope: 'customer',
        value: 'acme',
        aborts: false,
        actor: 'cli:ann',
        reason: 'bills',
      });
      await pauses.place({ scope: 'stage', value: 'second', aborts: false, actor: 'cli:bob', reason: 'bug' });
      await parked({ reason: 'pause', parkedFor: `pause:${pause.id}` }).catch(() => undefined);
      await harness.admitted('second');
      const found = await waits();
      expect(
        found
          .filter(({ reason }) => reason === 'pause')
          .map(({ change }) => change)
          .toSorted(),
      ).toEqual(['millrace resume customer acme --reason "…"', 'millrace resume stage second --reason "…"']);
      expect(found.find(({ why }) => why.includes('cli:bob'))).toMatchObject({
        messages: 1,
        stages: ['second'],
      });
    });

    it('tells a budget with its figures and the end of its window', async () => {
      await new BudgetLedger(database).define([
        someBudget({ name: 'search', team: undefined, window: 'day', limitUsd: '5' }),
      ]);
      await parked({ reason: 'budget', parkedFor: 'budget:search' });
      const [wait] = await waits();
      expect(wait).toMatchObject({
        reason: 'budget',
        about: 'search',
        messages: 1,
        why: expect.stringContaining('Of 5 USD per day, 0 are spent'),
      });
      expect(wait?.until).toMatch(/T00:00:00\.000Z$/);
    });

    it('tells an open circuit and a model in its cool-down though no message was put off yet', async () => {
      await database.execute(
        `insert into millrace.model_health (provider, model, state, opens, probes_out, probe_successes, version, opened_at, open_until, reason, changed_at)
         values ('openai', 'gpt-5', 'open', 1, 0, 0, 1, clock_timestamp(), clock_timestamp() + interval '1 minute', '9 of 10 failed', clock_timestamp());
         insert into millrace.model_limits (provider, model, cooldown_until) values ('openai', 'gpt-5-mini', clock_timestamp() + interval '1 day')`,
      );
      expect(await waits()).toMatchObject([
        {
          reason: 'circuit',
          about: 'openai/gpt-5',
          messages: 0,
          why: expect.stringContaining('9 of 10 failed'),
        },
        {
          reason: 'rate_limit',
          about: 'openai/gpt-5-mini',
          messages: 0,
          why: expect.stringContaining('asked for a cool-down'),
        },
      ]);
    });

    it('tells what waits for an earlier one of its key, and what only waits for a worker', async () => {
      const id = await harness.admitted();
      await harness.admitted('second');
      await database.query(
        { name: 'test.aside', text: `update millrace.messages set parked_for = 'order' where id = $1::uuid` },
        [id],
      );
      expect(await waits()).toMatchObject([
        { reason: 'order', messages: 1, stages: ['first'] },
        { reason: 'worker', about: 'second', messages: 1, stages: ['second'] },
      ]);
    });

    it('counts no further than it must, and keeps since when through repeated tries', async () => {
      await database.execute(
        `insert into millrace.messages (id, root_id, source, event_id, type, version, pipeline, stage, owner, lane, team, customer,
           feature, item, trace_parent, body, body_bytes, state, available_at, sweep_at, created_at, admitted_at, waits_for, waits_since)
         select gen_random_uuid(), gen_random_uuid(), 's', 'e' || n, 't', 1, 'p', 'first', 'o', 'standard', 'blue', 'acme', 'f', 'i', 'tp', '1', 1,
           'pending', clock_timestamp() + interval '1 hour', clock_timestamp() + interval '1 hour', clock_timestamp(), clock_timestamp(),
           'rate_limit:openai/gpt-5', clock_timestamp() - interval '1 hour'
         from generate_series(1, ${maxCounted + 500}) n`,
      );
      const [wait] = await waits();
      expect(wait).toMatchObject({ reason: 'rate_limit', messages: maxCounted, isAtLeast: true });
      await harness.database.execute('truncate millrace.messages');
      const id = await parked({ reason: 'circuit', about: 'a/b', delayMs: 60_000 });
      const before = (await waits())[0]?.since;
      await database.query(
        {
          name: 'test.due',
          text: 'update millrace.messages set available_at = clock_timestamp() where id = $1::uuid',
        },
        [id],
      );
      const { fencingToken } = await harness.leased(id);
      await harness.ledger.park({
        id,
        fencingToken,
        delayMs: 60_000,
        parkedFor: undefined,
        waitsFor: 'circuit:a/b',
      });
      expect((await waits())[0]?.since).toBe(before);
    });
  });
}
