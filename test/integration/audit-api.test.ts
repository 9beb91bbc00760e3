import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditListSchema } from '../../src/capabilities/access/audit-documents.ts';
import { startApi } from './api-application.ts';
import { type ApiFixture, openApiFixture, problemOf } from './api-fixture.ts';
import { requestTo } from './request-to.ts';

/* The audit over HTTP: what was done over HTTP stands in it, and a team sees its own. */

let fixture: ApiFixture;
let app: NestFastifyApplication;
let admin: string;
let search: string;

beforeAll(async () => {
  fixture = await openApiFixture();
  admin = await fixture.newKey(['admin']);
  search = await fixture.newKey(['audit:read', 'keys:write', 'operations:write', 'messages:read'], 'search');
  app = await startApi(fixture.services());
  await post('/v1/pauses', admin, { scope: 'team', value: 'search', reason: 'a bad prompt' });
  await post('/v1/pauses', admin, { scope: 'team', value: 'search', reason: 'still bad', abort: true });
  await post('/v1/pauses', admin, { scope: 'team', value: 'sales', reason: 'secret plans' });
  await post('/v1/keys', search, { name: 'boards', scopes: ['audit:read'], team: 'search' });
  await post('/v1/keys', admin, { name: 'sales-key', scopes: ['costs:read'], team: 'sales' });
});
afterAll(async () => {
  await app.close();
  await fixture.close();
});

const post = async (path: string, key: string, body: object) => {
  const response = await requestTo(app)
    .post(path)
    .set({ authorization: `Bearer ${key}` })
    .send(body);
  expect(response.statusCode, response.text).toBeLessThan(300);
};
const get = (query: string, key: string) =>
  requestTo(app)
    .get(`/v1/audit${query}`)
    .set({ authorization: `Bearer ${key}` });
const list = async (query: string, key: string) => {
  const response = await get(query, key);
  expect(response.statusCode, response.text).toBe(200);
  expect(response.headers['cache-control']).toBe('no-store');
  return auditListSchema.strict().parse(response.body);
};

describe('the audit over HTTP', () => {
  it('says who changed what from what to what, and why', async () => {
    const { entries } = await list('?action=pauses&target=team%20search', admin);
    expect(entries).toEqual([
      expect.objectContaining({
        actor: expect.stringMatching(/^key:test:[0-9a-f-]{36}$/),
        action: 'pauses.place',
        team: 'search',
        reason: 'still bad',
        from: { aborts: false, placedBy: entries[0]?.actor, placedFor: 'a bad prompt' },
        to: { aborts: true },
        detail: { scope: 'team', value: 'search' },
      }),
      expect.objectContaining({ reason: 'a bad prompt', to: { aborts: false } }),
    ]);
    expect(entries[1]).not.toHaveProperty('from');
  });

  it('is paged without losing or repeating an entry', async () => {
    const whole = await list('?limit=200', admin);
    const ids: string[] = [];
    let next: string | undefined = '';
    while (next !== undefined) {
      const page: Awaited<ReturnType<typeof list>> = await list(
        `?limit=2${next === '' ? '' : `&after=${next}`}`,
        admin,
      );
      ids.push(...page.entries.map(({ id }) => id));
      ({ next } = page);
    }
    expect(ids).toEqual(whole.entries.map(({ id }) => id));
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("shows a team's key what is that team's, whatever it asks for", async () => {
    for (const query of ['', '?team=search', '?action=keys', '?limit=200', '?actor=code']) {
      const { entries } = await list(query, search);
      expect(new Set([...entries.map(({ team }) => team), 'search'])).toEqual(new Set(['search']));
      expect(JSON.stringify(entries)).not.toContain('sales');
    }
    expect((await list('', search)).entries.map(({ action }) => action)).toContain('keys.create');
    expect(problemOf(await get('?team=sales', search))).toMatchObject({ status: 403 });
    expect((await list('?team=sales', admin)).entries.length).toBeGreaterThan(0);
  });

  it.each([
    '?limit=0',
    '?limit=201',
    '?limit=1e2',
    '?after=1',
    '?after=99999999999999999999~00000000-0000-0000-0000-000000000000',
    '?after=1~x',
    '?from=yesterday',
    '?to=0000-01-01',
    '?actor=',
    '?actor=%00',
    '?actor=a&actor=b',
    '?action=%27%20or%20true',
    `?target=${'x'.repeat(1025)}`,
    '?who=me',
  ])('refuses %s', async (query) => {
    expect(problemOf(await get(query, admin))).toMatchObject({
      status: 400,
      code: 'MILLRACE_REQUEST_INVALID',
    });
  });
});
