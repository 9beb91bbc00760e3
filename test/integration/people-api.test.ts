import { createHmac } from 'node:crypto';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { accessSettings } from '../../src/capabilities/access/access-settings.ts';
import { auditListSchema } from '../../src/capabilities/access/audit-documents.ts';
import { People } from '../../src/capabilities/access/people.ts';
import { ManualClock } from '../../src/kernel/manual-clock.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { IdentityProvider, signingKey } from '../support/identity-provider.ts';
import { startApi } from './api-application.ts';
import { type ApiFixture, openApiFixture, problemOf } from './api-fixture.ts';
import { requestTo } from './request-to.ts';

/* People with tokens of an OpenID Connect provider, over HTTP. */

let fixture: ApiFixture;
let provider: IdentityProvider;
let clock: ManualClock;
let app: NestFastifyApplication;

const oidc = (more: object = {}) =>
  accessSettings.parse({
    oidc: {
      issuer: provider.url,
      audience: 'millrace',
      grants: { viewers: ['costs:read'], operators: ['operations:write', 'audit:read', 'messages:read'] },
      allTeams: ['platform'],
      ...more,
    },
  }).oidc;

beforeAll(async () => {
  fixture = await openApiFixture();
  provider = await IdentityProvider.start();
});
afterAll(async () => {
  await app.close();
  await provider.stop();
  await fixture.close();
});

const start = async (more: object = {}) => {
  clock = new ManualClock(new Date('2026-11-29T12:00:00Z'));
  const people = new People({ settings: oidc(more), clock, logger: silentLogger });
  app = await startApi(fixture.services({ provided: [[People, people]] }));
};
beforeEach(async () => {
  provider.status = 200;
  await start();
  return () => app.close();
});

const operators = { groups: ['operators'], team: 'search', email: 'ann@example.com' };
const get = (path: string, token: string, headers: Record<string, string> = {}) =>
  requestTo(app)
    .get(path)
    .set({ ...headers, authorization: `Bearer ${token}` });
const statusOf = async (token: string, headers: Record<string, string> = {}) =>
  (await get('/v1/pauses', token, headers)).statusCode;
const refused = async (token: string, status: number) => {
  const problem = problemOf(await get('/v1/pauses', token));
  expect(problem.status, problem.detail).toBe(status);
  return problem;
};
const token = (claims: Readonly<Record<string, unknown>> = operators) => provider.token(clock.now(), claims);

describe('a person', () => {
  it('has the scopes that the groups give, for the own team, and stands in the audit by name', async () => {
    const own = await token();
    expect(await statusOf(own)).toBe(200);
    expect((await get('/v1/costs', own)).statusCode).toBe(403);
    expect((await get('/v1/status', own)).statusCode).toBe(403);
    const everywhere = await token({ ...operators, groups: ['operators', 'platform'] });
    const placed = await requestTo(app)
      .post('/v1/pauses')
      .set({ authorization: `Bearer ${everywhere}` })
      .send({ scope: 'team', value: 'search', reason: 'a bad prompt' });
    expect(placed.statusCode, placed.text).toBeLessThan(300);
    const { entries } = auditListSchema.parse((await get('/v1/audit?action=pauses', own)).body);
    expect(entries[0]?.actor).toMatch(/^person:ann@example\.com:[0-9a-f-]{36}$/);
    expect((await get('/v1/audit?team=sales', own)).statusCode).toBe(403);
    expect((await get('/v1/audit?team=sales', everywhere)).statusCode).toBe(200);
  });

  it('stands in the audit by a name without colons, which would read as another actor', async () => {
    const everywhere = await token({ ...operators, email: 'key:ada', groups: ['operators', 'platform'] });
    await requestTo(app)
      .post('/v1/pauses')
      .set({ authorization: `Bearer ${everywhere}` })
      .send({ scope: 'team', value: 'sales', reason: 'x' });
    const { entries } = auditListSchema.parse((await get('/v1/audit?action=pauses', everywhere)).body);
    expect(entries[0]?.actor).toMatch(/^person:key_ada:[0-9a-f-]{36}$/);
  });

  it('of several teams says for which one, and of no team is refused', async () => {
    const two = await token({ ...operators, team: ['search', 'sales'] });
    expect((await refused(two, 403)).detail).toContain('x-millrace-team');
    expect(await statusOf(two, { 'x-millrace-team': 'sales' })).toBe(200);
    expect(await statusOf(two, { 'x-millrace-team': 'finance' })).toBe(403);
    expect(await statusOf(await token(), { 'x-millrace-team': 'sales' })).toBe(403);
    for (const team of [undefined, '', [], 7, { a: 'search' }, 'x\u0007', 'y'.repeat(129)])
      await refused(await token({ ...operators, team }), 403);
    await refused(await token({ ...operators, groups: [] }), 403);
    await refused(await token({ ...operators, groups: ['constructor', '__proto__'] }), 403);
  });

  it('has teams and scopes by other claims where that is configured', async () => {
    await app.close();
    await start({
      scopesClaim: 'realm_access.roles',
      teamClaim: 'https://example.com/org',
      teams: { 'org-7': 'search' },
    });
    const roles = { realm_access: { roles: ['operators'] }, 'https://example.com/org': 'org-7' };
    expect(await statusOf(await token(roles))).toBe(200);
    await refused(await token({ ...roles, 'https://example.com/org': 'search' }), 403);
    await refused(await token({ ...roles, 'https://example.com/org': 'toString' }), 403);
    await refused(await token(operators), 403);
  });

  it('is told apart from others, and keys go on working', async () => {
    const key = await fixture.newKey(['messages:read']);
    expect(await statusOf(key)).toBe(200);
    provider.status = 503;
    expect(await statusOf(key)).toBe(200);
  });
});

describe('a token is refused', () => {
  const shifted = (parts: Readonly<Record<string, unknown>>) => token({ ...operators, ...parts });
  const seconds = () => Math.floor(clock.now().getTime() / 1000);

  it('when it is for others, by others, over, not yet good, old, or without an end', async () => {
    const bad: Readonly<Record<string, unknown>>[] = [
      { aud: 'another' },
      { aud: [] },
      { aud: undefined },
      { iss: `${provider.url}/` },
      { iss: undefined },
      { exp: seconds() - 31 },
      { exp: undefined },
      { nbf: seconds() + 31 },
      { iat: seconds() - 90_000, exp: seconds() + 300 },
      { iat: seconds() + 31 },
      { iat: undefined },
      { sub: undefined },
      { sub: '' },
      { sub: 7 },
    ];
    for (const parts of bad) {
      const problem = await refused(await shifted(parts), 401);
      expect(problem.code).toBe('MILLRACE_UNAUTHENTICATED');
    }
    for (const parts of [{ exp: seconds() - 29 }, { nbf: seconds() + 29 }, { aud: ['x', 'millrace'] }])
      expect(await statusOf(await shifted(parts)), JSON.stringify(parts)).toBe(200);
  });

  it('when its time ends', async () => {
    const short = await token();
    expect(await statusOf(short)).toBe(200);
    clock.advance(331_000);
    expect((await refused(short, 401)).detail).toBe('The token is over.');
  });

  it('when it is not signed, by a shared secret, by a stranger, or changed', async () => {
    const own = await token();
    const [head = '', body = '', signature = ''] = own.split('.');
    const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, unknown>;
    const stranger = await signingKey('first', 'RS256');
    const [key] = provider.keys;
    const asSecret = `${encoded({ alg: 'HS256', kid: 'first' })}.${body}`;
    const secrets = [JSON.stringify(key?.jwk), key?.jwk.n ?? '', Buffer.from(key?.jwk.n ?? '', 'base64url')];
    const forged = [
      `${encoded({ alg: 'none' })}.${body}.`,
      `${encoded({ alg: 'none', kid: 'first' })}.${body}.${signature}`,
      `${encoded({ alg: 'None', kid: 'first' })}.${body}.`,
      ...secrets.map(
        (secret) => `${asSecret}.${createHmac('sha256', secret).update(asSecret).digest('base64url')}`,
      ),
      `${head}.${encoded({ ...claims, team: 'sales' })}.${signature}`,
      `${head}.${body}.`,
      `${head}.${body}.${signature.slice(0, -4)}AAAA`,
      `${encoded({ alg: 'RS256', kid: 'first', jwk: stranger.jwk })}.${body}.${signature}`,
      `${encoded({ alg: 'RS256', kid: 'first', crit: ['exp'] })}.${body}.${signature}`,
      await provider.token(clock.now(), operators, stranger),
      await new SignJWT(claims)
        .setProtectedHeader({ alg: 'RS256', kid: 'first', jwk: stranger.jwk })
        .sign(stranger.privateKey),
      'a.b.c',
      `${'x'.repeat(9000)}.${body}.${signature}`,
    ];
    expect(await statusOf(own)).toBe(200);
    for (const one of forged) expect(await statusOf(one), one.slice(0, 60)).toBe(401);
  });

  it('when it is signed by an algorithm that is not accepted, with a key that is', async () => {
    await provider.rotate('other', 'RS512');
    await refused(await token(), 401);
    await provider.rotate('first', 'ES256');
    clock.advance(600_000);
    expect(await statusOf(await token())).toBe(200);
    await provider.rotate('first');
  });
});

describe('the keys of the provider', () => {
  it('are read again for a key that is new, but not as often as strangers like', async () => {
    const before = provider.reads;
    expect(await statusOf(await token())).toBe(200);
    for (let n = 0; n < 5; n += 1)
      await refused(await provider.token(clock.now(), operators, await signingKey('x', 'RS256')), 401);
    expect(provider.reads - before).toBe(1);
    await provider.rotate('second');
    await refused(await token(), 401);
    clock.advance(30_001);
    expect(await statusOf(await token())).toBe(200);
    expect(provider.reads - before).toBe(2);
    await provider.rotate('first');
  });

  it('are read once for requests that come together, and a key that is taken back ends within ten minutes', async () => {
    const before = provider.reads;
    const old = await provider.token(new Date(clock.now().getTime() + 600_000), operators);
    const first = await token();
    expect(await Promise.all(Array.from({ length: 5 }, () => statusOf(first)))).toEqual([
      200, 200, 200, 200, 200,
    ]);
    expect(provider.reads - before).toBe(1);
    await provider.rotate('third');
    clock.advance(600_001);
    await refused(old, 401);
    await provider.rotate('first');
  });

  it('are good for a day while the provider is away, and then tokens are answered with 503', async () => {
    expect(await statusOf(await token())).toBe(200);
    provider.status = 500;
    clock.advance(3_600_000);
    expect(await statusOf(await token())).toBe(200);
    clock.advance(86_400_000);
    const problem = await refused(await token(), 503);
    expect(problem).toMatchObject({ code: 'MILLRACE_IDENTITY_PROVIDER_UNAVAILABLE', retryable: true });
    provider.status = 200;
    clock.advance(30_001);
    expect(await statusOf(await token())).toBe(200);
  });

  it('are not taken from where a redirect leads, nor from a provider that calls itself otherwise', async () => {
    provider.status = 302;
    expect((await refused(await token(), 503)).code).toBe('MILLRACE_IDENTITY_PROVIDER_UNAVAILABLE');
    provider.status = 200;
    provider.issuer = 'https://another.example';
    clock.advance(30_001);
    await refused(await token(), 503);
    provider.issuer = undefined;
  });
});
