import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiKeys } from '../../src/capabilities/access/api-keys.ts';
import { migrate } from '../../src/drivers/sql-database/migrator.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { PgliteSqlDatabase } from '../../src/drivers/sql-database/sql-database.pglite.ts';
import { systemClock } from '../../src/kernel/clock.ts';

/* API keys in a real ledger, with the clock in hand. */

let database: PgliteSqlDatabase;
let looks = 0;
let nowMs = 0;
const clock = { ...systemClock, monotonicMs: () => nowMs };

/** The ledger, counting how often it is asked. */
const counted = (): SqlDatabase =>
  new Proxy<SqlDatabase>(database, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property);
      if (typeof value !== 'function') return value;
      if (property === 'query') looks += 1;
      return value.bind(target);
    },
  });

beforeAll(async () => {
  database = await PgliteSqlDatabase.open();
  await migrate(database);
});

afterAll(() => database.close());

describe('an API key', () => {
  it('is told once, and kept as a hash only', async () => {
    const keys = new ApiKeys({ database, clock });
    const { id, key } = await keys.create({ name: 'reports', scopes: ['costs:read'], team: 'search' });
    expect(key).toMatch(/^mr_[0-9A-Za-z]{43}$/);
    expect(await keys.verify(key)).toEqual({ id, name: 'reports', scopes: ['costs:read'], team: 'search' });
    const { rows } = await database.query({ name: 'all', text: 'select * from millrace.api_keys' });
    expect(JSON.stringify(rows)).not.toContain(key.slice(3));
    expect(await keys.list()).toContainEqual({
      id,
      name: 'reports',
      scopes: ['costs:read'],
      team: 'search',
      createdAt: expect.any(Date),
    });
  });

  it('uses every letter and digit about equally', async () => {
    const keys = new ApiKeys({ database, clock });
    const made = await Promise.all(
      Array.from({ length: 200 }, () => keys.create({ name: 'x', scopes: ['admin'] })),
    );
    const letters = made.flatMap(({ key }) => key.slice(3).split(''));
    const counts = new Map<string, number>();
    for (const letter of letters) counts.set(letter, (counts.get(letter) ?? 0) + 1);
    expect(counts.size).toBe(62);
    // 8600 letters: about 139 each; a bias of the last bytes would give the first eight a quarter more.
    expect(Math.max(...counts.values())).toBeLessThan(210);
    expect(new Set(made.map(({ key }) => key)).size).toBe(200);
  });

  it('is remembered for a few seconds', async () => {
    const keys = new ApiKeys({ database: counted(), clock, cacheMs: 5_000 });
    const { key } = await keys.create({ name: 'busy', scopes: ['admin'] });
    looks = 0;
    for (let call = 0; call < 10; call += 1) await keys.verify(key);
    expect(looks).toBe(1);
    nowMs += 5_001;
    await keys.verify(key);
    expect(looks).toBe(2);
  });

  it('is refused once it is revoked: here at once, elsewhere after the time of remembering', async () => {
    const here = new ApiKeys({ database, clock, cacheMs: 5_000 });
    const elsewhere = new ApiKeys({ database, clock, cacheMs: 5_000 });
    const { id, key } = await here.create({ name: 'leaked', scopes: ['admin'] });
    expect([await here.verify(key), await elsewhere.verify(key)]).toEqual([
      expect.anything(),
      expect.anything(),
    ]);
    expect(await here.revoke(id)).toBe(true);
    expect(await here.verify(key)).toBeUndefined();
    nowMs += 5_001;
    expect(await elsewhere.verify(key)).toBeUndefined();
    expect((await here.list()).find((entry) => entry.id === id)?.revokedAt).toBeInstanceOf(Date);
    expect(await here.revoke(id)).toBe(false);
  });

  it('that cannot be one is refused without a look into the ledger', async () => {
    const keys = new ApiKeys({ database: counted(), clock });
    looks = 0;
    for (const text of ['', 'mr_', `mr_${'x'.repeat(42)}`, `mr_${'x'.repeat(42)}'`, `xx_${'x'.repeat(43)}`]) {
      expect(await keys.verify(text)).toBeUndefined();
    }
    expect(looks).toBe(0);
    expect(await keys.verify(`mr_${'x'.repeat(43)}`)).toBeUndefined();
  });

  it('that is unknown costs one look in the time of remembering, and is known after it', async () => {
    const keys = new ApiKeys({ database: counted(), clock, cacheMs: 5_000 });
    const key = `mr_${'y'.repeat(43)}`;
    looks = 0;
    for (let call = 0; call < 10; call += 1) expect(await keys.verify(key)).toBeUndefined();
    expect(looks).toBe(1);
    // Another process makes it.
    const random = (bytes: number) => new Uint8Array(bytes).fill(60);
    expect(
      (await new ApiKeys({ database, clock, random }).create({ name: 'y', scopes: ['admin'] })).key,
    ).toBe(key);
    nowMs += 5_001;
    expect(await keys.verify(key)).toMatchObject({ name: 'y' });
  });

  it('is known at once to the process that made it', async () => {
    const random = (bytes: number) => new Uint8Array(bytes).fill(61);
    const keys = new ApiKeys({ database, clock, random });
    expect(await keys.verify(`mr_${'z'.repeat(43)}`)).toBeUndefined();
    const { key } = await keys.create({ name: 'z', scopes: ['admin'] });
    expect(await keys.verify(key)).toMatchObject({ name: 'z' });
  });

  it('is not made from what is not valid, with every fault named', async () => {
    const keys = new ApiKeys({ database, clock });
    const wanted = { name: ' ', scopes: ['everything'], team: '\u0007' } as unknown as Parameters<
      ApiKeys['create']
    >[0];
    await expect(keys.create(wanted)).rejects.toMatchObject({
      code: 'MILLRACE_REQUEST_INVALID',
      faults: [{ field: 'name' }, { field: 'scopes.0' }, { field: 'team' }],
    });
    expect(await keys.revoke('not-an-id')).toBe(false);
  });
});
