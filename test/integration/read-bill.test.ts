import { describe, expect, it } from 'vitest';
import { AppError } from '../../src/kernel/app-error.ts';
import { formatUsd, sumUsd } from '../../src/kernel/money.ts';
import type { BillEntry } from '../../src/simulator/bill.ts';
import { type BillForm, providerBill } from '../../src/simulator/provider-bills.ts';
import type { Bill, BillProvider } from '../../src/capabilities/costs/reconciliation/bill.ts';
import { readBill } from '../../src/capabilities/costs/reconciliation/read-bill.ts';

const entry = (n: number, provider: 'openai' | 'anthropic', costUsd: string): BillEntry => ({
  n,
  requestId: `req_${n}`,
  at: `2026-03-0${1 + (n % 2)}T10:00:00.000Z`,
  provider,
  endpoint: provider === 'openai' ? 'chat.completions' : 'messages',
  modelAsked: 'model',
  modelAnswered: provider === 'openai' ? 'gpt-5-mini-2025-08-07' : 'claude-haiku-4-5-20251001',
  tier: provider === 'openai' ? 'default' : 'standard',
  tokens: {
    uncached_input: 1001 + n,
    cache_read: 128,
    cache_write_5m: provider === 'openai' ? 0 : 7,
    cache_write_1h: provider === 'openai' ? 0 : 3,
    text_output: 33,
    reasoning: provider === 'openai' ? 5 : 0,
  },
  costUsd,
  usageReported: true,
  fault: null,
  requestHash: `hash ${n}`,
  callId: null,
  messageId: null,
  step: null,
});

// 1001 x 0.25 + 128 x 0.025 + 38 x 2, and so on, in millionths of a dollar.
const entries: readonly BillEntry[] = [
  entry(0, 'openai', '0.00032945'),
  entry(1, 'openai', '0.0003297'),
  entry(2, 'anthropic', '0.00119555'),
  entry(3, 'anthropic', '0.00119655'),
];

const read = (provider: BillProvider, ...forms: readonly BillForm[]): Promise<Bill> =>
  readBill(
    provider,
    forms.map((form) => ({ name: `${form}.json`, text: providerBill(form, entries) })),
  );

const total = (bill: Bill): string =>
  formatUsd(sumUsd([...bill.costs, ...bill.requests].map(({ amountUsd }) => amountUsd)));

/** What is said of a bill that is refused. */
async function refusal(provider: BillProvider, ...texts: readonly string[]): Promise<AppError> {
  try {
    await readBill(
      provider,
      texts.map((text, index) => ({ name: `file ${index + 1}`, text })),
    );
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('the bill was read');
}

describe('a bill', () => {
  it.each([
    ['openai', '0.00065915', ['openai-usage', 'openai-costs']],
    ['anthropic', '0.0023921', ['anthropic-usage', 'anthropic-costs']],
  ] as const)(
    'of %s is read to the last decimal, by day, model, class and tier',
    async (provider, usd, forms) => {
      const bill = await read(provider, ...forms);
      expect(total(bill)).toBe(usd);
      expect(bill.days).toEqual(['2026-03-01', '2026-03-02']);
      expect(bill.notices).toEqual([]);
      const [first] = bill.usage;
      expect(first).toMatchObject({ day: '2026-03-01', tokens: { cache_read: 128 } });
      expect(first?.tier).toBe('default');
      expect(new Set(bill.costs.map(({ meter }) => meter))).toEqual(
        new Set(
          provider === 'openai'
            ? ['input', 'cache_read', 'output']
            : ['input', 'cache_read', 'cache_write_5m', 'cache_write_1h', 'output'],
        ),
      );
    },
  );

  it('of OpenRouter is read by the day, or request by request', async () => {
    const activity = await read('openrouter', 'openrouter-activity');
    expect(activity.usage[0]).toMatchObject({ model: 'anthropic/claude-haiku-4-5-20251001', requests: 1 });
    const generations = await read('openrouter', 'openrouter-generations');
    expect(total(generations)).toBe('0.00305125');
    expect(generations.requests[0]).toMatchObject({
      requestId: 'req_0',
      tokens: { uncached_input: 1001, cache_read: 128, text_output: 33, reasoning: 5 },
    });
  });

  it('takes amounts as numbers by their digits, with exponents, and as texts', async () => {
    const page = (value: string) =>
      `{"object":"page","data":[{"start_time":1772323200,"end_time":1772409600,"results":[{"object":"organization.costs.result","amount":{"value":${value},"currency":"usd"},"line_item":"m, input"}]}],"has_more":false}`;
    for (const [written, exact] of [
      ['0.1234567890123456789', '0.1234567890123456789'],
      ['1.5e-7', '0.00000015'],
      ['12.345e1', '123.45'],
      ['"0.30000000000000000001"', '0.30000000000000000001'],
      ['-2.50', '-2.5'],
    ] as const) {
      expect(total(await readBill('openai', [{ name: 'bill', text: page(written) }]))).toBe(exact);
    }
  });

  it('reads the rows of the analytics endpoints', async () => {
    const at = '"starting_at":"2026-11-01T00:00:00Z","ending_at":"2026-11-02T00:00:00Z"';
    const group = '"model":"claude-sonnet-5","service_tier":"priority","api_key_id":"key_1"';
    const costs = `{"data":[{${at},"group":{${group},"token_type":"output_tokens","cost_type":"tokens"},"cost":{"amount":"150.5","currency":"USD","list_amount":"200","requests":null}}],"has_more":false}`;
    const usage = `{"data":[{${at},"group":{${group}},"usage":{"uncached_input_tokens":5,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":9,"requests":2}}],"has_more":false}`;
    const bill = await readBill('anthropic', [
      { name: 'costs', text: costs },
      { name: 'usage', text: usage },
    ]);
    expect(total(bill)).toBe('1.505');
    expect(bill.costs[0]).toMatchObject({ tier: 'priority', key: 'key_1', meter: 'output' });
    expect(bill.usage[0]).toMatchObject({ requests: 2, tokens: { output: 9 } });
  });

  it('names kinds of usage that are not known, and keeps their amounts', async () => {
    const text = providerBill('openai-costs', entries).replace(
      'gpt-5-mini-2025-08-07, output',
      'holographic sessions',
    );
    const bill = await readBill('openai', [{ name: 'costs', text }]);
    expect(bill.notices).toEqual(['line item "holographic sessions"']);
    expect(bill.costs.find(({ meter }) => meter === 'unknown')).toMatchObject({
      name: 'holographic sessions',
    });
    expect(total(bill)).toBe('0.00065915');
  });
});

describe('a bill that is no bill', () => {
  const costs = providerBill('openai-costs', entries);

  it.each([
    ['nothing', '', 'file 1, line 1: is empty'],
    ['no JSON', '{"object":\n"page",]', 'file 1, line 2: is not JSON'],
    ['another document', '{"object":"list","data":[]}', 'file 1, line 1, object: is "page"'],
    [
      'a negative count',
      providerBill('openai-usage', entries).replace('"num_model_requests": 1', '"num_model_requests": -1'),
      'num_model_requests: is a whole number',
    ],
    [
      'an amount in words',
      costs.replace(/"value": "[^"]+"/, '"value": "ten"'),
      'amount.value: is a decimal amount',
    ],
    [
      'an amount that is no number',
      costs.replace(/"value": "[^"]+"/, '"value": "NaN"'),
      'amount.value: is a decimal amount',
    ],
    ['another currency', costs.replace('"usd"', '"eur"'), 'amount.currency: is no currency'],
    ['a name that stands twice', '{"object":"page","object":"page"}', 'the name "object" stands twice'],
    [
      'pages that are missing',
      costs.replace('"has_more": false', '"has_more": true'),
      'the last page of openai costs says that more follow',
    ],
    ['usage without costs', providerBill('openai-usage', entries), 'says what was used, not what it cost'],
    ['a lone surrogate', '{"object":"\\ud800"}', 'holds what no text may hold'],
  ])('is refused for %s, with the line and the field', async (_, text, problem) => {
    const { code, message } = await refusal('openai', text);
    expect(message).toContain(problem);
    expect(code).toBe('MILLRACE_BILL_INVALID');
  });

  it('names the line on which the object of the field begins, and its path', async () => {
    const lines = costs.split('\n');
    const line = lines.findIndex((text) => text.includes('"amount"'));
    const text = costs.replace('"usd"', '"eur"');
    expect((await refusal('openai', text)).message).toContain(
      `file 1, line ${line + 1}, data.0.results.0.amount.currency: is no currency`,
    );
  });

  it('is refused when a page stands in it twice', async () => {
    expect((await refusal('openai', costs, costs)).message).toContain('is a page in it twice?');
  });

  it('is refused when it is too deep, and takes no prototype from it', async () => {
    expect((await refusal('openai', `${'['.repeat(20)}${']'.repeat(20)}`)).code).toBe(
      'MILLRACE_BILL_TOO_LARGE',
    );
    expect((await refusal('openai', '{"__proto__":{"object":"page"},"data":[]}')).code).toBe(
      'MILLRACE_BILL_INVALID',
    );
    expect((await refusal('openrouter', `{"data":[${'{},'.repeat(10)}{}]}`)).code).toBe(
      'MILLRACE_BILL_INVALID',
    );
  });
});

describe('a bill that would take long to read', () => {
  const bucket = (from: number, to: number, results = '') =>
    `{"start_time":${from},"end_time":${to},"results":[${results}]}`;
  const page = (data: string) => `{"object":"page","data":[${data}],"has_more":false}`;
  const day = (n: number) => page(bucket(1_772_323_200 + n * 60, 1_772_323_260 + n * 60));

  it.each([
    ['four million objects', '{}'.repeat(4_000_000), 'file 1, line 1, object: is "page"'],
    ['four million numbers', `[${'1,'.repeat(3_900_000)}1]`, 'file 1, line 1, 0.object: is "page"'],
    ['more values than it may have', page('1,'.repeat(3_900_000)), 'has more than 500000 values'],
    ['more documents than it may have', day(0).repeat(5_001), 'has more than 5000 documents'],
    [
      'more entries than it may have',
      `[${Array.from({ length: 5_001 }, (_, n) => day(n)).join(',')}]`,
      'has more than 5000 documents',
    ],
  ])('is refused for %s', async (_, text, problem) => {
    const { code, message } = await refusal('openai', text);
    expect(message).toContain(problem);
    expect(code).toBe('MILLRACE_BILL_INVALID');
  });

  it('is refused at its first document that is no page, whatever follows', async () => {
    for (const text of ['{} no JSON', '[{}, no JSON'])
      expect((await refusal('openai', text)).message).toContain('object: is "page"');
  });

  it('counts the values of all files', async () => {
    const half = page(Array.from({ length: 70_000 }, () => bucket(1_772_323_200, 1_772_409_600)).join(','));
    const { message } = await refusal('openai', half, half);
    expect(message).toContain('file 2, line 1: has more than 500000 values');
  });

  it('is refused for buckets that are centuries long', async () => {
    const centuries = await refusal('openai', page(bucket(100_000_000, 9_999_999_999)));
    expect([centuries.code, centuries.message]).toEqual([
      'MILLRACE_BILL_TOO_LARGE',
      expect.stringContaining('covers more than 366 days'),
    ]);
    const all = '"starting_at":"1970-01-01T00:00:00Z","ending_at":"9998-01-01T00:00:00Z"';
    const rows = await refusal('anthropic', `{"data":[{${all},"results":[]}]}`);
    expect(rows.code).toBe('MILLRACE_BILL_TOO_LARGE');
  });

  it('gives other work its turn while it is read', async () => {
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 0);
    try {
      await refusal('openai', page('1,'.repeat(600_000)));
    } finally {
      clearInterval(timer);
    }
    expect(turns).toBeGreaterThan(5);
  });
});

describe('an amount of a bill', () => {
  const costs = providerBill('openai-costs', entries);

  it.each(['1e99', '1e12', '999999999999e1', '1e-31', '1000000000000'])(
    'is refused as %s',
    async (amount) => {
      for (const written of [amount, `"${amount}"`]) {
        const { code, message } = await refusal(
          'openai',
          costs.replace(/"value": "[^"]+"/, `"value": ${written}`),
        );
        expect(message).toContain('amount.value: is a decimal amount of at most 12 digits before');
        expect(code).toBe('MILLRACE_BILL_INVALID');
      }
    },
  );

  it.each(['0000-01-01', '1969-12-31'])('is of no day such as %s', async (day) => {
    const row = `{"date":"${day}","model":"m","usage":1,"requests":1,"prompt_tokens":1,"completion_tokens":1}`;
    expect((await refusal('openrouter', `{"data":[${row}]}`)).message).toContain('date: is no day');
    const at = `"starting_at":"${day}T00:00:00Z","ending_at":"${day}T12:00:00Z"`;
    expect((await refusal('anthropic', `{"data":[{${at},"results":[]}]}`)).message).toContain(
      'starting_at: lies between 1970 and 9999',
    );
  });
});
