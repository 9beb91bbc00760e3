import { describe, expect, it } from 'vitest';
import { usd } from '../../kernel/money.ts';
import { bindLines } from './row-text.ts';
import { countsOfCall, countsOfCorrection, renderUsageLine, type UsageRecord } from './usage-record.ts';

const record: UsageRecord = {
  recordId: '0195a000-0000-7000-8000-000000000001',
  recordKind: 'call',
  callId: '0195a000-0000-7000-8000-000000000001',
  sentAt: new Date('2025-03-01T10:20:30.456Z'),
  recordedAt: new Date('2025-03-01T10:20:31.000Z'),
  origin: { team: 'search', customer: 'acme "&" sons', feature: 'summaries', labels: { region: 'eu' } },
  pipeline: 'documents',
  stage: 'summarise',
  owner: 'platform',
  step: 'summary',
  attempt: 2,
  provider: 'openai',
  model: 'gpt-5-mini',
  operation: 'chat',
  tier: 'default',
  requestKind: 'single',
  outcome: 'ok',
  settlement: 'reported',
  counts: countsOfCall('reported', true),
  tokens: { uncached_input: 12, text_output: 3, reasoning: 0 },
  costByClass: { uncached_input: usd('0.000000000000000001'), reasoning: usd('0') },
  costUsd: usd('12345678901234567890.000000000000000001'),
  durationMs: 850,
};

describe('renderUsageLine', () => {
  it('is one line of JSON with money as decimal strings', () => {
    const line = renderUsageLine(record);
    expect(line).not.toContain('\n');
    expect(JSON.parse(line)).toMatchObject({
      ts: '2025-03-01 10:20:30.456',
      customer: 'acme "&" sons',
      labels: { region: 'eu' },
      tokens_uncached_input: 12,
      cost_uncached_input: '0.000000000000000001',
      cost_usd: '12345678901234567890.000000000000000001',
    });
  });

  it('leaves out what is absent or zero', () => {
    const row = JSON.parse(renderUsageLine(record)) as Record<string, unknown>;
    for (const name of [
      'batch',
      'message_id',
      'tokens_reasoning',
      'cost_reasoning',
      'upper_bound_usd',
      'is_waste',
    ]) {
      expect(row).not.toHaveProperty(name);
    }
  });

  it('carries uses of tools with their cost, and the list price beside what was charged', () => {
    const line = renderUsageLine({
      ...record,
      units: { web_search: 2, code_execution: 1 },
      unitCostUsd: usd('0.02'),
      listCostUsd: usd('0.03'),
    });
    expect(JSON.parse(line)).toMatchObject({
      units: { web_search: 2, code_execution: 1 },
      cost_units: '0.02',
      list_cost_usd: '0.03',
    });
  });

  it('tells no price from a price of zero', () => {
    const { costUsd: _, ...unpriced } = record;
    expect(JSON.parse(renderUsageLine(unpriced))).not.toHaveProperty('cost_usd');
    expect(JSON.parse(renderUsageLine({ ...record, costUsd: usd('0') }))).toHaveProperty('cost_usd', '0');
  });

  it('escapes control characters and replaces what is no character', () => {
    const line = renderUsageLine({ ...record, item: 'a\0b\n\ud800c' });
    expect(line).toContain('"item":"a\\u0000b\\n\ufffdc"');
  });

  it('refuses an amount or a number that the table would cut', () => {
    expect(() => renderUsageLine({ ...record, costUsd: usd('0.0000000000000000001') })).toThrow(
      /Decimal\(38, 18\)/,
    );
    expect(() => renderUsageLine({ ...record, costUsd: usd('100000000000000000000') })).toThrow(
      /Decimal\(38, 18\)/,
    );
    expect(() => renderUsageLine({ ...record, durationMs: 1.5 })).toThrow(/durationMs/);
    expect(() => renderUsageLine({ ...record, attempt: -1 })).toThrow(/attempt/);
    expect(() => renderUsageLine({ ...record, tokens: { text_output: Number.NaN } })).toThrow(/text_output/);
  });
});

describe('bindLines', () => {
  it('puts the export batch first in every line and ends each with a newline', () => {
    const bound = bindLines('0195a000-0000-7000-8000-00000000000b', [
      renderUsageLine(record),
      '{"record_id":"x"}',
    ]);
    const lines = bound.split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[1]).toBe('{"export_batch":"0195a000-0000-7000-8000-00000000000b","record_id":"x"}');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      export_batch: '0195a000-0000-7000-8000-00000000000b',
      attempt: 2,
    });
    expect(lines[2]).toBe('');
  });
});

describe('counts', () => {
  it('mark a call by what is not known of it', () => {
    expect(countsOfCall('unsettled', true)).toEqual({
      calls: 1,
      unpricedCalls: 0,
      unsettledCalls: 1,
      estimatedCalls: 0,
      suspectCalls: 0,
    });
    expect(countsOfCall('estimated', false)).toEqual({
      calls: 1,
      unpricedCalls: 1,
      unsettledCalls: 0,
      estimatedCalls: 1,
      suspectCalls: 0,
    });
  });

  it('of a call and its correction add up to the call as it is now', () => {
    const before = { settlement: 'unsettled', isPriced: false } as const;
    const after = { settlement: 'estimated', isPriced: true, isSuspect: true } as const;
    const was = countsOfCall(before.settlement, before.isPriced);
    const correction = countsOfCorrection(before, after);
    expect({
      calls: was.calls + correction.calls,
      unpricedCalls: was.unpricedCalls + correction.unpricedCalls,
      unsettledCalls: was.unsettledCalls + correction.unsettledCalls,
      estimatedCalls: was.estimatedCalls + correction.estimatedCalls,
      suspectCalls: was.suspectCalls + correction.suspectCalls,
    }).toEqual(countsOfCall(after.settlement, after.isPriced, after.isSuspect));
  });
});
