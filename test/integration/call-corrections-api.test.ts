import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApi } from './api-application.ts';
import { type ApiFixture, openApiFixture, problemOf } from './api-fixture.ts';
import { requestTo } from './request-to.ts';

const id = '01890a5d-ac96-774b-bcce-b302099a8057';

let fixture: ApiFixture;
let app: NestFastifyApplication;

beforeAll(async () => {
  fixture = await openApiFixture();
  const { database } = fixture;
  app = await startApi(fixture.services());
  await database.execute(
    `insert into millrace.calls (id, origin, step, ordinal, attempt, state, provider, model, operation, tier, request_kind,
       request_digest, reserved_at, settled_at, outcome, settlement, tokens, cost_usd, is_suspect)
     values ('${id}', '{"team":"blue","customer":"acme","feature":"search"}', 's', 1, 1, 'settled', 'openai', 'gpt-5-mini', 'chat',
       'default', 'single', 'd', clock_timestamp(), clock_timestamp(), 'ok', 'estimated', '{"uncached_input":4}', 1, true)`,
  );
});
afterAll(async () => {
  await app.close();
  await fixture.close();
});

const correct = async (key: string, body: object) =>
  requestTo(app).post(`/v1/calls/${id}/correct`).set('authorization', `Bearer ${key}`).send(body);

describe('POST /v1/calls/{id}/correct', () => {
  const body = { tokens: { uncached_input: 8, text_output: 50 }, reason: 'the bill' };

  it('needs the scope and a sound body', async () => {
    expect((await correct(await fixture.newKey(['costs:read']), body)).statusCode).toBe(403);
    const key = await fixture.newKey(['operations:write']);
    for (const wrong of [
      { ...body, tokens: { bogus: 1 } },
      { ...body, tokens: { text_output: -1 } },
      { ...body, costUsd: '1e9' },
      { ...body, reason: ' ' },
      { ...body, more: 1 },
      {},
    ]) {
      expect((await correct(key, wrong)).statusCode, JSON.stringify(wrong)).toBe(400);
    }
  });

  it.each(['blue', 'red'])(
    'is for keys without a team, not for one of %s, whatever it says',
    async (team) => {
      const key = await fixture.newKey(['operations:write'], team);
      const state = { name: 'test.call', text: `select * from millrace.calls where id = '${id}'` };
      const before = (await fixture.database.query(state)).rows;
      for (const costUsd of ['0', '999999999']) {
        for (const dryRun of [true, false]) {
          const refused = await correct(key, { ...body, costUsd, dryRun });
          expect([refused.statusCode, problemOf(refused).code]).toEqual([403, 'MILLRACE_FORBIDDEN']);
          expect(problemOf(refused).detail).toContain(`belongs to the team "${team}"`);
        }
      }
      expect((await fixture.database.query(state)).rows).toEqual(before);
    },
  );

  it('says what it would do, does it, and does it once', async () => {
    const key = await fixture.newKey(['operations:write']);
    const changed = { isChanged: true, before: { costUsd: '1' }, after: { costUsd: '0.000102' } };
    expect((await correct(key, { ...body, dryRun: true })).body).toMatchObject({
      dryRun: true,
      ...changed,
    });
    expect((await correct(key, body)).body).toMatchObject({ dryRun: false, ...changed });
    expect((await correct(key, body)).body).toMatchObject({ isChanged: false });
    const { rows } = await fixture.database.query<{ actor: string }>({
      name: 'test.actions',
      text: `select actor from millrace.operator_actions where action = 'calls.correct'`,
    });
    expect(rows).toHaveLength(1);
    expect(rows[0]?.actor).toMatch(/^key:/);
  });
});
