import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EventSource } from '../../src/capabilities/triggers/source/event-source.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { AppError } from '../../src/kernel/app-error.ts';
import { type EventBroker, postgresBroker, redisBroker } from '../support/event-brokers.ts';
import { Died, Mortality, mortalDatabase, mortalMethods } from '../support/mortal.ts';
import { canRun, postgresPrograms, redisPrograms } from '../support/required-programs.ts';
import { TriggerFixture } from '../support/trigger-fixture.ts';

/** More operations than a run makes. */
const enoughMoments = 60;

/** What is promised of triggers, whichever database the ledger is on. */
export function triggersContract(database: string, open: () => Promise<SqlDatabase>): void {
  describe.skipIf(!canRun(redisPrograms()))(`triggers from Redis Streams, ledger on ${database}`, () =>
    fromBroker(open, redisBroker),
  );
  describe.skipIf(!canRun(postgresPrograms()))(`triggers from a table, ledger on ${database}`, () =>
    fromBroker(open, postgresBroker),
  );
}

function fromBroker(open: () => Promise<SqlDatabase>, start: () => Promise<EventBroker>): void {
  let broker: EventBroker;
  let fixture: TriggerFixture;
  const opened: EventSource[] = [];
  const source = (): EventSource => {
    const one = broker.source();
    opened.push(one);
    return one;
  };
  beforeAll(async () => {
    fixture = new TriggerFixture(await open());
    broker = await start();
  });
  afterAll(() => broker.stop());
  beforeEach(async () => {
    await fixture.begin();
    await broker.empty();
    return async () => {
      for (const one of opened.splice(0)) await one.close();
    };
  });

  const send = async (customer: string, number: number): Promise<void> =>
    broker.send(customer, JSON.stringify({ customer, number }));
  const numbersOf = async (customer: string): Promise<readonly unknown[]> =>
    (await fixture.admitted())
      .filter((one) => one.customer === customer)
      .map(({ body }) => (JSON.parse(body) as { readonly number: number }).number);

  it('make one message of each event, in the order of its key, and one bad event hurts no other', async () => {
    for (let number = 1; number <= 4; number += 1) {
      await send('acme', number);
      await send('zeta', number);
    }
    await broker.send('acme', '{"customer":');
    await broker.send('acme', '{"number":1}');
    await broker.send('acme', '{"customer":"acme","number":"one"}');
    await send('acme', 5);
    await fixture.drain(fixture.pump(source()));
    expect(await numbersOf('acme')).toEqual([1, 2, 3, 4, 5]);
    expect(await numbersOf('zeta')).toEqual([1, 2, 3, 4]);
    expect(new Set((await fixture.admitted()).map(({ order_key }) => order_key))).toEqual(
      new Set(['7:support:acme', '7:support:zeta']),
    );
    const kept = await fixture.kept();
    expect(kept.map(({ key, payload, error_code }) => `${key} ${payload} ${error_code}`).toSorted()).toEqual([
      'acme {"customer": MILLRACE_EVENT_UNREADABLE',
      'acme {"customer":"acme","number":"one"} MILLRACE_MESSAGE_INVALID',
      'acme {"number":1} MILLRACE_ORIGIN_INVALID',
    ]);
    expect(kept.every(({ partition, position }) => partition !== '' && position !== '')).toBe(true);
  });

  it('lose no event, admit none twice and keep the order, whenever a process dies', async () => {
    let deaths = 0;
    for (let moment = 0; moment < enoughMoments; moment += 1) {
      await fixture.begin();
      await broker.empty();
      for (let number = 1; number <= 4; number += 1) await send('acme', number);
      await broker.send('acme', 'not JSON');
      const mortality = new Mortality(moment);
      const doomed = source();
      const dying = fixture.pump(mortalMethods(doomed, mortality), {
        database: mortalDatabase(fixture.database, mortality),
      });
      const death: unknown = await fixture.drain(dying).catch((error: unknown) => error);
      // Its connections go with a process.
      await doomed.close();
      await fixture.drain(fixture.pump(source()));
      expect(await numbersOf('acme'), `dead after ${moment}`).toEqual([1, 2, 3, 4]);
      expect((await fixture.kept()).map(({ payload }) => payload)).toEqual(['not JSON']);
      for (const one of opened.splice(0)) await one.close();
      if (death === undefined) break;
      expect(death).toBeInstanceOf(Died);
      deaths += 1;
    }
    expect(deaths).toBeGreaterThan(5);
    expect(deaths).toBeLessThan(enoughMoments);
  });

  it('stop at an event that is refused for now, and go on with it', async () => {
    for (let number = 1; number <= 4; number += 1) await send('acme', number);
    await send('zeta', 1);
    let isExhausted = true;
    const refusal = {
      error: new AppError('MILLRACE_DATABASE_UNAVAILABLE', 'Not by now.'),
      count: () => undefined,
    };
    const pump = fixture.pump(source(), {
      check: {
        check: ({ customer }) => Promise.resolve(isExhausted && customer === 'zeta' ? refusal : undefined),
      },
    });
    await send('acme', 5);
    const soon = (): number => performance.now() + 60_000;
    await pump.run(soon(), new AbortController().signal);
    expect(pump.refused).toBe('MILLRACE_DATABASE_UNAVAILABLE');
    expect(await numbersOf('acme')).toEqual([1, 2, 3, 4]);
    expect(await pump.lag()).toBe(2);
    isExhausted = false;
    await fixture.drain(pump);
    expect(pump.refused).toBeUndefined();
    expect(await numbersOf('acme')).toEqual([1, 2, 3, 4, 5]);
    expect(await numbersOf('zeta')).toEqual([1]);
  });
}
