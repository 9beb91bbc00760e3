import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/kernel/ids.ts';
import {
  keyListSchema,
  newKeySchema,
  revokedKeySchema,
} from '../../src/capabilities/access/key-administration.ts';
import { startApi } from './api-application.ts';
import { type ApiFixture, openApiFixture, problemOf } from './api-fixture.ts';
import { requestTo } from './request-to.ts';

/* Keys over HTTP: who may make and revoke which. */

let fixture: ApiFixture;
let app: NestFastifyApplication;
let admin: string;
let maker: string;
let bound: string;

beforeAll(async () => {
  fixture = await openApiFixture();
  admin = await fixture.newKey(['admin']);
  maker = await fixture.newKey(['keys:write', 'costs:read']);
  bound = await fixture.newKey(['keys:write', 'costs:read'], 'support');
  app = await startApi(fixture.services());
});
afterAll(async () => {
  await app.close();
  await fixture.close();
});

const send = (method: 'get' | 'post' | 'delete', path: string, key: string | undefined, body?: object) => {
  const request = requestTo(app)[method](`/v1/keys${path}`);
  return request.set(key === undefined ? {} : { authorization: `Bearer ${key}` }).send(body);
};
const make = async (key: string, body: Record<string, unknown>) => {
  const response = await send('post', '', key, { name: 'made', scopes: ['costs:read'], ...body });
  expect(response.statusCode, response.text).toBe(201);
  expect(response.headers['cache-control']).toBe('no-store');
  return newKeySchema.strict().parse(response.body);
};
const list = async (key: string) => {
  const response = await send('get', '', key);
  expect(response.statusCode, response.text).toBe(200);
  return { text: response.text, keys: keyListSchema.strict().parse(response.body).keys };
};

describe('a key over HTTP', () => {
  it.each(['\u0000', '\ud83d'])('refuses a reason that no store can hold (%j)', async (reason) => {
    const refused = await send('post', '', admin, { name: 'x', scopes: ['costs:read'], reason });
    expect(refused.statusCode, refused.text).toBe(400);
    expect(refused.text).toContain('reason');
  });

  it('is followed by none that ends after the year 9999', async () => {
    const { id } = await make(admin, { expiresAt: '9999-12-31T23:59:59Z' });
    const rotated = await send('post', `/${id}/rotate`, admin, { reason: 'x' });
    expect(rotated.statusCode, rotated.text).toBe(201);
    expect(rotated.body).toMatchObject({ expiresAt: expect.stringMatching(/^9999-/) as string });
  });

  it('gives none that lasts longer than itself, and is followed by one as long as it was', async () => {
    const hour = () => new Date(Date.now() + 3_600_000).toISOString();
    const scopes = ['keys:write', 'costs:read'];
    const own = await make(admin, { name: 'ends', scopes, expiresAt: hour() });
    const far = { expiresAt: '9999-12-31T00:00:00Z' };
    const refused = await send('post', '', own.key, { name: 'x', scopes: ['costs:read'], ...far });
    expect(refused.statusCode, refused.text).toBe(403);
    expect(problemOf(refused).detail).toContain('lasts longer');
    expect((await make(own.key, {})).expiresAt).toBe(own.expiresAt);
    await make(own.key, { expiresAt: new Date(Date.now() + 60_000).toISOString() });
    const forEver = await make(admin, {});
    for (const [id, body] of [
      [own.id, far],
      [forEver.id, {}],
      [forEver.id, far],
    ] as const)
      expect((await send('post', `/${id}/rotate`, own.key, { ...body, reason: 'x' })).statusCode).toBe(403);
    expect((await send('post', `/${own.id}/rotate`, own.key, { reason: 'x' })).statusCode).toBe(201);
  });

  it('is shown once, works, is listed without itself, is revoked at once, and leaves an audit', async () => {
    const { id, key } = await make(admin, { name: 'boards', team: 'support', reason: 'for the boards' });
    const { keys, text } = await list(admin);
    expect(text).not.toContain(key.slice(3));
    expect(keys.find((one) => one.id === id)).toMatchObject({ name: 'boards', team: 'support' });
    expect((await send('get', '', key)).statusCode).toBe(403);
    const revoked = await send('delete', `/${id}?reason=leaked`, admin);
    expect(revoked.statusCode, revoked.text).toBe(200);
    expect(revokedKeySchema.strict().parse(revoked.body)).toMatchObject({ id, revoked: true });
    expect((await send('get', '', key)).statusCode).toBe(401);
    expect((await send('delete', `/${id}`, admin)).statusCode).toBe(404);
    const { rows } = await fixture.database.query({
      name: 'test.audit',
      text: `select actor, action, target, reason from millrace.operator_actions
        where actor like 'key:%' and detail->>'key' = '${id}' order by at, id`,
    });
    const actor = expect.stringMatching(/^key:test:[0-9a-f-]{36}$/);
    expect(rows).toEqual([
      { actor, action: 'keys.create', target: 'key boards', reason: 'for the boards' },
      { actor, action: 'keys.revoke', target: 'key boards', reason: 'leaked' },
    ]);
  });

  it.each([
    [{ scopes: ['admin'] }],
    [{ scopes: ['costs:read', 'messages:read'] }],
    [{ scopes: ['operations:read'] }],
  ])('gives no right that its maker has not: %j', async (body) => {
    const response = await send('post', '', maker, { name: 'x', ...body });
    expect(problemOf(response)).toMatchObject({ status: 403, code: 'MILLRACE_FORBIDDEN' });
  });

  it('of a team makes, sees and revokes keys of that team alone', async () => {
    for (const team of [undefined, 'sales']) {
      const body = { name: 'x', scopes: ['costs:read'], ...(team === undefined ? {} : { team }) };
      expect(problemOf(await send('post', '', bound, body))).toMatchObject({ status: 403 });
    }
    const own = await make(bound, { team: 'support' });
    const other = await make(admin, { team: 'sales' });
    const seen = await list(bound);
    expect(new Set(seen.keys.map(({ team }) => team))).toEqual(new Set(['support']));
    expect(problemOf(await send('delete', `/${other.id}`, bound))).toMatchObject({ status: 404 });
    expect((await send('delete', `/${own.id}`, bound)).statusCode).toBe(200);
  });

  it('does not revoke one with wider rights', async () => {
    const wide = await make(admin, { scopes: ['admin'] });
    expect(problemOf(await send('delete', `/${wide.id}`, maker))).toMatchObject({ status: 403 });
    expect((await send('get', '', wide.key)).statusCode).toBe(200);
  });

  it.each([
    [undefined],
    [{}],
    [{ name: '', scopes: ['costs:read'] }],
    [{ name: 'x', scopes: [] }],
    [{ name: 'x', scopes: ['root'] }],
    [{ name: 'x', scopes: ['costs:read', 'costs:read'] }],
    [{ name: 'x\u0000', scopes: ['costs:read'] }],
    // In the audit it would read as key:ada:….
    [{ name: 'ada:x', scopes: ['costs:read'] }],
    [{ name: 'x', scopes: 'costs:read' }],
    [{ name: 'x', scopes: ['costs:read'], key: 'mr_mine' }],
    [[]],
  ])('is refused as %j', async (body) => {
    expect(problemOf(await send('post', '', admin, body)).status).toBe(400);
  });

  it('is for those with the scope alone, and unknown ids are not found', async () => {
    const without = await fixture.newKey(['costs:read', 'operations:write']);
    for (const [method, path] of [
      ['get', ''],
      ['post', ''],
      ['delete', `/${newId(new Date())}`],
    ] as const) {
      expect((await send(method, path, undefined)).statusCode).toBe(401);
      expect((await send(method, path, without)).statusCode).toBe(403);
    }
    for (const id of [newId(new Date()), 'nonsense', '%00', "'--"]) {
      expect((await send('delete', `/${id}`, admin)).statusCode).toBeLessThan(500);
    }
    expect(problemOf(await send('delete', '/nonsense', admin))).toMatchObject({ status: 404 });
  });
});
