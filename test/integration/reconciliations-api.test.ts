import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  reconciliationReportSchema,
  reconciliationSchema,
} from '../../src/capabilities/costs/reconciliation/reconciliation-document.ts';
import type { CostsApi } from './costs-fixture.ts';
import { startCostsApi } from './costs-fixture.ts';
import { billed } from './reconciled-calls.ts';
import { requestTo } from './request-to.ts';
import { providerBill } from '../../src/simulator/provider-bills.ts';

/* Bills over HTTP: who may send them, what is answered, and what is refused. */

let api: CostsApi;
let writer: string;
let reader: string;
let bound: string;

beforeAll(async () => {
  api = await startCostsApi();
  ({ key: writer } = await api.keys.create({ name: 'finance', scopes: ['operations:write', 'costs:read'] }));
  ({ key: reader } = await api.keys.create({ name: 'reader', scopes: ['costs:read'] }));
  ({ key: bound } = await api.keys.create({
    name: 'bound',
    scopes: ['operations:write', 'costs:read'],
    team: 'search',
  }));
});
afterAll(() => api.close());

const text = providerBill('openai-costs', [
  billed({ id: 'one', day: '2026-03-02', model: 'gpt-5-mini', input: 1000, output: 10 }),
]);
const bill = { provider: 'openai', files: [{ name: 'costs.json', text }] };

const post = (body: unknown, key = writer) =>
  requestTo(api.app)
    .post('/v1/reconciliations')
    .set('authorization', `Bearer ${key}`)
    .send(body as object);
const get = (path: string, key = reader) =>
  requestTo(api.app).get(`/v1/reconciliations${path}`).set('authorization', `Bearer ${key}`);

describe('POST /v1/reconciliations', () => {
  it('compares a bill, keeps the days, and shows them', async () => {
    const response = await post(bill);
    expect(response.statusCode, response.text).toBe(200);
    const report = reconciliationReportSchema.strict().parse(response.body);
    expect(report).toMatchObject({
      billUsd: '0.00027',
      ledgerUsd: '0',
      from: '2026-03-02',
      to: '2026-03-03',
    });
    expect(report.differences).toEqual([{ cause: 'not_through_millrace', usd: '0.00027' }]);
    const list = await get('?provider=openai&state=explained');
    expect(list.statusCode, list.text).toBe(200);
    const [day] = (list.body as { reconciliations: { id: string }[] }).reconciliations;
    const shown = await get(`/${day?.id}`);
    const { actor, rows } = reconciliationSchema.strict().parse(shown.body);
    expect(actor).toContain('key:finance:');
    expect(rows.map(({ meter, isReconciled }) => [meter, isReconciled])).toEqual([
      ['input', false],
      ['output', false],
    ]);
  });

  it('is for keys with the scope and without a team', async () => {
    expect((await requestTo(api.app).post('/v1/reconciliations').send(bill)).statusCode).toBe(401);
    expect((await post(bill, reader)).statusCode).toBe(403);
    const refused = await post(bill, bound);
    expect([refused.statusCode, (refused.body as { code: string }).code]).toEqual([
      403,
      'MILLRACE_FORBIDDEN',
    ]);
    expect((await get('', bound)).statusCode).toBe(403);
    expect((await get('/018f3a3e-0000-7000-8000-000000000001', bound)).statusCode).toBe(403);
  });

  it.each([
    ['no provider', { files: bill.files }, 'provider'],
    ['a provider without bills', { ...bill, provider: 'azure' }, 'provider'],
    ['no files', { ...bill, files: [] }, 'files'],
    [
      'too many files',
      { ...bill, files: Array.from({ length: 65 }, () => ({ name: 'x', text: '1' })) },
      'files',
    ],
    ['a day that is none', { ...bill, from: '2026-02-30' }, 'from'],
    ['a day before the first year', { ...bill, from: '0000-01-01' }, 'from'],
    ['days that the bill has not', { ...bill, from: '2026-04-01' }, 'from'],
    ['keys that it does not name', { ...bill, keys: ['key_1'] }, 'keys'],
    ['a field that is not known', { ...bill, force: true }, 'force'],
    ['a name with a control character', { ...bill, files: [{ name: 'a\u0000b', text }] }, 'files'],
  ])('refuses %s', async (_, body, field) => {
    const response = await post(body);
    expect(response.statusCode, response.text).toBe(400);
    const { code, faults } = response.body as { code: string; faults: { field: string }[] };
    expect(code).toBe('MILLRACE_REQUEST_INVALID');
    expect(faults[0]?.field).toContain(field);
  });

  it.each([
    ['no JSON', 'line 1\nline 2', 'MILLRACE_BILL_INVALID', 422],
    ['a page of something else', '{"object":"list"}', 'MILLRACE_BILL_INVALID', 422],
    [
      'amounts that are no numbers',
      text.replace(/"value": "[^"]+"/, '"value": "1e999"'),
      'MILLRACE_BILL_INVALID',
      422,
    ],
    ['1e99 dollars', text.replace(/"value": "[^"]+"/, '"value": "1e99"'), 'MILLRACE_BILL_INVALID', 422],
    ['a thousand levels', '['.repeat(1000), 'MILLRACE_BILL_TOO_LARGE', 413],
    ['a prototype', '{"__proto__":{"data":[]},"object":"page"}', 'MILLRACE_BILL_INVALID', 422],
  ])('refuses a bill of %s', async (_, hostile, code, status) => {
    const response = await post({ ...bill, files: [{ name: 'hostile.json', text: hostile }] });
    expect([response.statusCode, (response.body as { code: string }).code]).toEqual([status, code]);
    expect(response.text).toContain('hostile.json');
  });

  it('takes bodies that are larger than those of other operations, up to a limit', async () => {
    const padded = { ...bill, files: [{ name: 'costs.json', text: `${text}${' '.repeat(50_000)}` }] };
    expect((await post(padded)).statusCode).toBe(200);
    const huge = { ...bill, files: [{ name: 'costs.json', text: `${text}${' '.repeat(150_000)}` }] };
    expect((await post(huge)).statusCode).toBe(413);
  });
});

describe('GET /v1/reconciliations', () => {
  it.each([
    'provider=azure',
    'state=done',
    'limit=0',
    'limit=1000',
    'history=maybe',
    'from=yesterday',
    'from=0000-01-01',
    'to=0000-12-31',
    'team=x',
  ])('refuses %s', async (query) => {
    expect((await get(`?${query}`)).statusCode).toBe(400);
  });

  it('knows no day of another id', async () => {
    for (const id of ['018f3a3e-0000-7000-8000-000000000001', 'none'])
      expect((await get(`/${id}`)).statusCode).toBe(404);
  });
});
