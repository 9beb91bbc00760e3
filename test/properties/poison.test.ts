import { expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import type { CallLedger } from '../../src/engine/ledger/call-ledger.ts';
import type { MessageLedger } from '../../src/engine/ledger/message-ledger.ts';
import { RequestLedger } from '../../src/capabilities/requests/intake/request-ledger.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { BudgetLedger } from '../../src/capabilities/budgets/budget-ledger.ts';
import { someBudget } from '../support/budget-fixture.ts';
import { onEachLedger } from '../support/each-ledger.ts';
import { filesThatHideStatements, statementsThatTakeRows } from '../support/grouped-statements.ts';
import { LedgerHarness, someAdmission } from '../support/ledger-fixture.ts';
import {
  badIds,
  badTexts,
  drawPoison,
  isClearRefusal,
  type PoisonCase,
  type PoisonOutcome,
  poisonRows,
  poisonSeed,
  putThrough,
  watchStatements,
} from '../support/poison.ts';
import {
  admissions,
  claims,
  ends,
  finishes,
  limitCorrections,
  limitTakes,
  parks,
  reservations,
  retries,
  settlements,
} from './poison-cases.ts';
import { requests } from './poison-requests.ts';

/*
 * Whatever one row of a group holds, the others commit. Random rows go through every statement that many callers share;
 * one in twenty holds something that cannot be written. MILLRACE_POISON_ROWS says how many go through each statement,
 * MILLRACE_POISON_SEED from which seed they are drawn.
 */

/** Statements that take rows, but of one caller, or such as cannot be odd. */
const notShared: Readonly<Record<string, string>> = {
  'admission.count_models': "one process's counts, by names that the provider registry has checked",
  'batches.ask_again': 'ids and digests, of steps whose names were checked',
  'batches.ask_first': 'ids and digests, of steps whose names were checked',
  'batches.leave_out_capped': 'one upload, checked line by line',
  'batches.create': 'one sender, checked before',
  'batches.keep-deferred-calls':
    'bodies that were written as JSON, by names that the provider registry has checked',
  'batches.mark-deferred-sent': 'ids that the ledger gave',
  'batches.read_answers': 'ids that the ledger gave',
  'batches.read_end_rules': 'ids that the ledger gave',
  'ledger.read_trees': 'ids that the ledger gave',
  'requests.record_ends': 'what the ledger said of its messages, in a form that it takes',
  'batches.record_checks': 'one batch, in a form that it takes',
  'batches.record_ends': 'what the ledger said of its messages, in a form that it takes',
  'batches.set_message_ids': 'ids that the ledger gave',
  'batches.write_capped_items': 'one upload, checked line by line',
  'batches.write_items': 'one upload, checked line by line',
  'ledger.cancel_messages': 'one operator, of messages that the ledger named',
  'ledger.check_time_zones': 'names of one configuration or operator, checked before',
  'ledger.define_budgets': 'one configuration, checked as a whole',
  'ledger.find_cancelled_runs': 'ids that the ledger gave',
  'ledger.claim_told_keys': 'one request of one key, whose events were checked',
  'ledger.insert_told_calls':
    'one request of one key, whose events were checked; what is refused is split off',
  'ledger.pass_told_keys_on': 'keys that the ledger gave',
  'ledger.release_messages': 'one run',
  'ledger.list_due': 'names of registered stages',
  'ledger.list_messages': 'the filter of one reader',
  'ledger.list_new_messages': 'the filter of one reader',
  'ledger.list_tailed_failures': 'ids that the ledger gave',
  'ledger.expire_messages': 'one run',
  'ledger.record_budget_alerts': 'budgets and percents that the ledger gave',
  'ledger.release_heads': 'keys that the ledger gave',
  'ledger.set_budget': 'one operator, checked before',
  'schedules.plan_runs': 'times that one process computed, of schedules that the ledger gave',
  'schedules.record_runs': 'runs that the ledger gave, with what became of each',
  'webhooks.claim_deliveries': 'ids that the ledger gave',
  'webhooks.record_attempts':
    'one process, in a form that the ledger takes: texts of answers are cleaned where they are read',
  'provider-batches.plan-requests': 'one provider batch, whose requests were checked before',
  'provider-batches.record-outcomes': 'one provider batch, by places that the ledger gave',
};

/** Files with statements that take rows and are not shared, where nobody looks for them. */
const notSharedIn: Readonly<Record<string, string>> = {
  'src/capabilities/batches/intake/recent-costs.ts': 'ids that the ledger gave',
  'src/capabilities/requests/events/request-listeners.ts': 'requests that the ledger gave',
  'src/capabilities/triggers/unreadable-events.ts':
    'one source, in a form that the ledger takes: texts are cleaned and cut, payloads are base64',
  'src/engine/export/export-ledger.ts': 'the names of the tables, which are constants',
  'src/engine/ledger/invalid-output-ledger.ts': 'the two records about one call',
  'src/engine/ledger/reprice-ledger.ts': 'calls that the ledger gave, with prices of a checked book',
  'src/engine/ledger/stage-backlog.ts': 'counts by the names of registered stages',
  'src/engine/ledger/unused-answers.ts': 'calls that the ledger gave, with the records about each',
};

const covered = new Set<string>();

function poisonContract(name: string, open: () => Promise<SqlDatabase>): void {
  it(
    `refuses each guilty row alone, and commits the others, on ${name}`,
    { timeout: 3_600_000 },
    async () => {
      console.info(`poison seed ${poisonSeed}, ${poisonRows} rows through each statement, ${name}`);
      const { database, ran } = watchStatements(await open());
      const harness = await LedgerHarness.begin(database);
      const { ledger, calls } = harness;
      await new BudgetLedger(database).define([someBudget({ name: 'all', limitUsd: '1000000' })]);
      // While anything is held, statements look into what they are given.
      await database.execute(
        `insert into millrace.blocks (id, scope, value, created_at, reason, actor, aborts)
       values (gen_random_uuid(), 'team', 'nobody', clock_timestamp(), 'test', 'test', true)`,
      );
      let seed = poisonSeed;
      const put = async <Row>(what: PoisonCase<Row>, count = poisonRows): Promise<PoisonOutcome> => {
        const startedMs = performance.now();
        const outcome = await putThrough(what, drawPoison(count, seed));
        seed += 1;
        for (const statement of what.covers) {
          expect(ran).toContain(statement);
          covered.add(statement);
        }
        const { written, kept, refused } = outcome;
        console.info(
          `${what.name}: ${written.length} written, ${refused.length} refused, ${kept.length} kept, ${Math.round(performance.now() - startedMs)} ms`,
        );
        return outcome;
      };

      await put(admissions(ledger));
      await put(claims(ledger));

      await database.execute('truncate millrace.messages');
      const messages = await admitted(harness, poisonRows);
      const release = (): Promise<void> => leaseAll(database);

      await release();
      const plain = await reserved(put, (ids) => reservations(calls, messages, ids, false));
      const settled = await put(settlements(calls, plain, 'plain'), plain.length);
      expect(await count(database, `millrace.calls where state = 'settled'`)).toBe(settled.written.length);
      expect(await count(database, `millrace.outbox where target = 'usage'`)).toBe(settled.written.length);

      const budgeted = await reserved(put, (ids) => reservations(calls, messages, ids, true));
      await put(settlements(calls, budgeted, 'budgeted'), budgeted.length);
      expect(await new BudgetLedger(database).findFaults()).toEqual([]);

      const lost = await reserved(put, (ids) => reservations(calls, messages, ids, false));
      await abandonPoisoned(calls, lost);
      covered.add('ledger.abandon_calls');
      const given = await unsettled(database);
      const late = await put(settlements(calls, given, 'late'), given.length);
      expect((await unsettled(database)).length).toBe(given.length - late.written.length);

      await release();
      const finished = await put(finishes(ledger, messages, (id) => harness.emission(id)));
      expect(await count(database, `millrace.messages where state = 'completed'`)).toBe(
        finished.written.length,
      );
      expect(await count(database, 'millrace.messages where parent_id is not null')).toBe(
        finished.written.length,
      );

      await release();
      const retried = await put(retries(ledger, messages));
      const recorded = retried.written.length + retried.kept.length;
      expect(await count(database, `millrace.messages where state = 'pending' and attempts = 1`)).toBe(
        recorded,
      );
      expect(await count(database, 'millrace.failures where retryable')).toBe(recorded);

      await release();
      const ended = await put(ends(ledger, messages));
      const dead = ended.written.length + ended.kept.length;
      expect(await count(database, `millrace.messages where state = 'dead_lettered' and attempts = 1`)).toBe(
        dead,
      );
      expect(await count(database, `millrace.failures where detail like '%could not be stored%'`)).toBe(
        ended.kept.length,
      );

      await release();
      const parked = await put(parks(ledger, messages));
      expect(await count(database, `millrace.messages where state = 'pending' and attempts = 0`)).toBe(
        parked.written.length + parked.kept.length,
      );

      await release();
      await renewPoisoned(ledger, messages);
      covered.add('ledger.renew_leases');

      const asked = await put(
        requests(
          new RequestLedger({
            database,
            webhooks: { has: () => Promise.resolve(false) },
            clock: systemClock,
          }),
        ),
      );
      expect(await count(database, 'millrace.requests')).toBe(asked.written.length);

      await put(limitTakes(database));
      await put(limitCorrections(database));
    },
  );
}

type Put = <Row>(what: PoisonCase<Row>, count?: number) => Promise<PoisonOutcome>;

/** The ids of the calls that were reserved. */
async function reserved(
  put: Put,
  caseOf: (ids: string[]) => ReturnType<typeof reservations>,
): Promise<readonly string[]> {
  const ids: string[] = [];
  const { written } = await put(caseOf(ids));
  return written.map((index) => ids[index] ?? '');
}

/** What the sweep gives up is one statement, too: one odd record does not keep the others. */
async function abandonPoisoned(calls: CallLedger, ids: readonly string[]): Promise<void> {
  const draws = drawPoison(ids.length, poisonSeed + 100);
  const rows = ids.map((id, index) => {
    const choice = draws[index];
    if (choice === undefined) return { id, line: '{}' };
    return choice % 2 === 0
      ? { id: pickOf(badIds, choice), line: '{}' }
      : { id, line: pickOf(badTexts, choice) };
  });
  const guilty = draws.filter((choice) => choice !== undefined).length;
  const outcome = await calls.abandon(rows).catch((error: unknown) => error);
  if (guilty === 0) expect(outcome).toBe(ids.length);
  else expect(isClearRefusal(outcome)).toBe(true);
}

async function renewPoisoned(ledger: MessageLedger, messages: readonly string[]): Promise<void> {
  const draws = drawPoison(messages.length, poisonSeed + 101);
  const held = messages.map((id, index) => {
    const choice = draws[index];
    const lease = { id, fencingToken: 1, leaseMs: 60_000 };
    if (choice === undefined) return lease;
    return choice % 2 === 0
      ? { ...lease, id: 'no uuid' }
      : { ...lease, leaseMs: pickOf([2 ** 40, Number.NaN, Infinity], choice) };
  });
  const innocent = messages.filter((_, index) => draws[index] === undefined);
  expect([...(await ledger.renew(held))].toSorted()).toEqual(innocent.toSorted());
}

function pickOf<Value>(values: readonly Value[], choice: number): Value {
  const value = values[choice % values.length];
  if (value === undefined) throw new Error('there are values to choose from');
  return value;
}

async function unsettled(database: SqlDatabase): Promise<readonly string[]> {
  const { rows } = await database.query<{ id: string }>({
    name: 'test.unsettled',
    text: `select id from millrace.calls where state = 'unsettled' order by id`,
  });
  return rows.map(({ id }) => id);
}

async function admitted({ ledger }: LedgerHarness, howMany: number): Promise<readonly string[]> {
  const all = Array.from({ length: howMany }, () => someAdmission());
  await Promise.all(all.map((admission) => ledger.admit(admission)));
  return all.map(({ envelope }) => envelope.id);
}

/** All messages are leased again with fencing token 1, as if nothing had happened to them. */
function leaseAll(database: SqlDatabase): Promise<void> {
  return database.execute(
    `delete from millrace.messages where parent_id is not null;
     truncate millrace.failures;
     update millrace.messages set state = 'leased', fencing_token = 1, attempts = 0, leased_by = 'test', parked_for = null,
       finished_at = null, error_code = null, lease_until = clock_timestamp() + interval '1 hour',
       sweep_at = clock_timestamp() + interval '1 hour'`,
  );
}

async function count(database: SqlDatabase, from: string): Promise<number | undefined> {
  const { rows } = await database.query<{ n: number }>({
    name: `test.count ${from.slice(-40)}`,
    text: `select count(*)::int as n from ${from}`,
  });
  return rows[0]?.n;
}

onEachLedger(poisonContract);

it('covers every statement that many callers share', async () => {
  expect(await filesThatHideStatements()).toEqual(Object.keys(notSharedIn));
  const all = await statementsThatTakeRows();
  expect([...covered, ...Object.keys(notShared)].toSorted()).toEqual(all);
});
