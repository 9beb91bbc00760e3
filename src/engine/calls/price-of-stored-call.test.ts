import { describe, expect, it } from 'vitest';
import { formatUsd, usd } from '../../kernel/money.ts';
import { packagedPriceBook } from '../../pricing/packaged-price-book.ts';
import type { SettledRow } from '../ledger/reprice-ledger.ts';
import { priceOfStoredCall } from './price-of-stored-call.ts';

const book = packagedPriceBook();

function row(parts: Partial<SettledRow>, raw?: object): SettledRow {
  return {
    id: '01890a5d-ac96-774b-bcce-b302099a8057',
    step: 's',
    attempt: 1,
    provider: 'anthropic',
    model: 'claude-sonnet-4-6',
    operation: 'chat',
    tier: 'default',
    requestKind: 'single',
    fallbackFrom: undefined,
    reservedAt: new Date('2026-10-01T00:00:00Z'),
    upperBoundUsd: undefined,
    origin: { team: 'blue', customer: 'acme', feature: 'search' },
    message: undefined,
    state: 'settled',
    outcome: 'ok',
    settlement: 'reported',
    answeredModel: undefined,
    isSuspect: false,
    tokens: {},
    costUsd: undefined,
    costParts: undefined,
    costDetail: null,
    wasteReason: undefined,
    storedTokens: '{}',
    priceReference: undefined,
    isErased: false,
    rawUsage: raw === undefined ? undefined : JSON.stringify(raw),
    ...parts,
  };
}

const priced = (call: SettledRow) => {
  const result = priceOfStoredCall(book, (provider) => provider, call);
  if (result.kind !== 'priced') throw new Error(`kept: ${result.reason}`);
  return { ...result, cost: formatUsd(result.costUsd) };
};

describe('a stored call is priced', () => {
  const tokens = { uncached_input: 1000, text_output: 1000 };

  it('at the place where it was served, by the provider’s words', () => {
    const raw = { input_tokens: 1000, output_tokens: 1000, inference_geo: 'us' };
    expect(priced(row({ tokens }, raw)).cost).toBe('0.0198');
    expect(priced(row({ tokens })).cost).toBe('0.018');
  });

  it('with its uses of tools', () => {
    const raw = { input_tokens: 9509, output_tokens: 0, server_tool_use: { web_search_requests: 1 } };
    const used = row({ tokens: { uncached_input: 9509 } }, raw);
    expect(priced(used).cost).toBe('0.038527');
    // The row's count holds where it has one.
    const counted = { costDetail: '"units":{"web_search":2}', costUsd: usd('0.028527'), priceReference: 'x' };
    expect(priced({ ...used, ...counted }).cost).toBe('0.048527');
  });

  it('with another model’s part at that model’s price', () => {
    const raw = {
      input_tokens: 1200,
      output_tokens: 20,
      cache_creation_input_tokens: 0,
      iterations: [
        { type: 'message', input_tokens: 1000, output_tokens: 100 },
        { type: 'advisor_message', model: 'claude-opus-4-8', input_tokens: 2000, output_tokens: 40 },
        { type: 'message', input_tokens: 1200, output_tokens: 20 },
      ],
    };
    const call = { model: 'claude-sonnet-5', tokens: { uncached_input: 4200, text_output: 160 } };
    expect(priced(row(call, raw)).cost).toBe('0.0166');
  });

  it('with the rates of kinds that its classes do not tell apart', () => {
    const raw = {
      promptTokenCount: 20,
      candidatesTokenCount: 1320,
      candidatesTokensDetails: [
        { modality: 'TEXT', tokenCount: 30 },
        { modality: 'IMAGE', tokenCount: 1290 },
      ],
    };
    const call = {
      provider: 'google',
      model: 'gemini-2.5-flash-image',
      tokens: { uncached_input: 20, text_output: 30, image_output: 1290 },
    };
    expect(priced(row(call, raw)).cost).toBe('0.038781');
  });

  it('by the counts of the row where the provider’s words come to others', () => {
    const raw = { input_tokens: 5, output_tokens: 5, cache_read_input_tokens: 7 };
    expect(priced(row({ tokens }, raw)).cost).toBe('0.018');
    expect(priced(row({ tokens, rawUsage: 'not JSON' })).cost).toBe('0.018');
  });

  it('as estimated no more, when the use that nobody had a price of has one', () => {
    const raw = { input_tokens: 1000, output_tokens: 0, server_tool_use: { web_search_requests: 1 } };
    const call = row(
      {
        tokens: { uncached_input: 1000 },
        settlement: 'estimated',
        costUsd: usd('0.003'),
        costDetail: '"cost_uncached_input":"0.003","units":{"web_search":1}',
        upperBoundUsd: usd('2'),
        priceReference: 'x',
      },
      raw,
    );
    expect(priced(call)).toMatchObject({ settlement: 'reported', cost: '0.013', upperBoundUsd: undefined });
    // Counted by us, it stays so.
    expect(priced({ ...call, rawUsage: undefined })).toMatchObject({
      settlement: 'estimated',
      cost: '0.013',
    });
  });

  it('by the model that was asked for, when its own word on that was not believed', () => {
    const suspect = row({
      tokens,
      isSuspect: true,
      settlement: 'estimated',
      answeredModel: 'claude-opus-4-8',
    });
    expect(priced(suspect).cost).toBe('0.018');
    expect(priced({ ...suspect, isSuspect: false }).cost).toBe('0.03');
  });

  it('not at all where its place cannot be known any more', () => {
    expect(priceOfStoredCall(book, (name) => name, row({ tokens, isErased: true }))).toEqual({
      kind: 'kept',
      reason: 'erased',
    });
  });
});
