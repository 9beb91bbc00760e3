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

/** The key's time is over. */
const endNow = (id: string) =>
  database.query(
    {
      name: 'test.end_key',
      text: `update millrace.api_keys set expires_at = clock_timestamp() where id = $1::uuid`,
    },
    [id],
  );

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

  it('is looked up with the others that are asked for at the time, in one statement', async () => {
    const keys = new ApiKeys({ database: counted(), clock });
    const made = await Promise.all(
      ['one', 'two', 'three'].map((name) => keys.create({ name, scopes: ['admin'], requestsPerMinute: 7 })),
    );
    looks = 0;
    const asked = [...made, ...made, { key: `mr_${'n'.repeat(43)}` }];
    const found = await Promise.all(asked.map(({ key }) => keys.verify(key)));
    expect(looks).toBe(1);
    expect(found.map((identity) => identity?.name)).toEqual([
      'one',
      'two',
      'three',
      'one',
      'two',
      'three',
      undefined,
    ]);
    expect(found[0]).toMatchObject({ id: made[0]?.id, requestsPerMinute: 7 });
  });

  it('is refused at once when it is revoked, by every process', async () => {
    const here = new ApiKeys({ database, clock });
    const elsewhere = new ApiKeys({ database, clock });
    const { id, key } = await here.create({ name: 'leaked', scopes: ['admin'] });
    expect([await here.verify(key), await elsewhere.verify(key)]).toMatchObject([{ id }, { id }]);
    expect(await here.revoke(id)).toBe(true);
    expect([await here.verify(key), await elsewhere.verify(key)]).toEqual([undefined, undefined]);
    expect((await here.list()).find((entry) => entry.id === id)?.revokedAt).toBeInstanceOf(Date);
    expect(await here.revoke(id)).toBe(false);
  });

  it('is refused from the moment on at which its time is over', async () => {
    const keys = new ApiKeys({ database, clock });
    const expiresAt = new Date(clock.now().getTime() + 3_600_000);
    const { id, key } = await keys.create({ name: 'guest', scopes: ['admin'], expiresAt });
    expect(await keys.verify(key)).toMatchObject({ id });
    expect((await keys.find(id))?.expiresAt).toEqual(expiresAt);
    await endNow(id);
    expect(await keys.verify(key)).toBeUndefined();
    expect(await keys.rotate(id, { overlapMs: 0 })).toBeUndefined();
  });

  it('is replaced by one with the same rights, and ends after the overlap', async () => {
    const keys = new ApiKeys({ database, clock });
    const elsewhere = new ApiKeys({ database, clock });
    const expiresAt = new Date(clock.now().getTime() + 90 * 86_400_000);
    const rights = { name: 'sync', scopes: ['costs:read', 'messages:read'], team: 'search' } as const;
    const old = await keys.create({ ...rights, expiresAt, requestsPerMinute: 10 });
    const rotated = await keys.rotate(old.id, { overlapMs: 3_600_000 }, { actor: 'ann', reason: 'yearly' });
    expect(rotated?.entry).toMatchObject({ ...rights, requestsPerMinute: 10, replaces: old.id });
    // As long as the old one had: 90 days from now.
    expect(rotated?.entry.expiresAt?.getTime()).toBeGreaterThanOrEqual(expiresAt.getTime() - 1000);
    const next = rotated?.key ?? '';
    expect(next).not.toBe(old.key);
    expect(await elsewhere.verify(old.key)).toMatchObject({ id: old.id });
    expect(await elsewhere.verify(next)).toMatchObject({ id: rotated?.entry.id, ...rights });
    const end = (await keys.find(old.id))?.expiresAt;
    expect(end).toEqual(rotated?.replacedUntil);
    expect(end?.getTime()).toBeLessThan(clock.now().getTime() + 3_600_001);
    await endNow(old.id);
    expect(await elsewhere.verify(old.key)).toBeUndefined();
    expect(await elsewhere.verify(next)).toBeDefined();
    const { rows } = await database.query({
      name: 'test.rotation',
      text: `select actor, action, target, team, reason, detail from millrace.operator_actions where action = 'keys.rotate'`,
    });
    expect(rows).toEqual([
      {
        actor: 'ann',
        action: 'keys.rotate',
        target: 'key sync',
        team: 'search',
        reason: 'yearly',
        detail: expect.objectContaining({
          key: old.id,
          replacedBy: rotated?.entry.id,
          from: { expiresAt: expect.stringContaining(expiresAt.toISOString().slice(0, 19)) },
          to: { expiresAt: expect.any(String) },
        }),
      },
    ]);
    expect(JSON.stringify(rows)).not.toContain(next.slice(3));
  });

  it('that is replaced without overlap is refused at once, and one that ends sooner is not prolonged', async () => {
    const keys = new ApiKeys({ database, clock });
    const old = await keys.create({ name: 'leaked', scopes: ['admin'] });
    const rotated = await keys.rotate(old.id, { overlapMs: 0 });
    expect(rotated?.entry.expiresAt).toBeUndefined();
    expect(await keys.verify(old.key)).toBeUndefined();
    expect(await keys.rotate(old.id, { overlapMs: 0 })).toBeUndefined();
    const soon = new Date(clock.now().getTime() + 60_000);
    const short = await keys.create({ name: 'short', scopes: ['admin'], expiresAt: soon });
    expect((await keys.rotate(short.id, { overlapMs: 3_600_000 }))?.replacedUntil).toEqual(soon);
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
    const keys = new ApiKeys({ database: counted(), clock });
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
    const name = 'x';
    for (const part of [
      { expiresAt: new Date(clock.now().getTime() - 1) },
      { expiresAt: new Date(NaN) },
      { requestsPerMinute: 0 },
      { requestsPerMinute: 1.5 },
    ]) {
      const refused = keys.create({ name, scopes: ['admin'], ...part });
      await expect(refused).rejects.toMatchObject({ code: 'MILLRACE_REQUEST_INVALID' });
    }
    for (const overlapMs of [-1, Number.NaN, 31 * 86_400_000]) {
      const refused = keys.rotate('not-an-id', { overlapMs });
      await expect(refused).rejects.toMatchObject({ code: 'MILLRACE_REQUEST_INVALID' });
    }
    expect(await keys.revoke('not-an-id')).toBe(false);
    expect(await keys.rotate('not-an-id', { overlapMs: 0 })).toBeUndefined();
  });
});
