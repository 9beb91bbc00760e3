import { describe, expect, it } from 'vitest';
import { formatUsd, usd } from '../../../kernel/money.ts';
import type { Pricer } from '../../../pricing/price.ts';
import { type CostForecast, forecastCosts } from './cost-forecast.ts';
import type { RecentMessage } from './recent-costs.ts';

/** A dollar a thousand tokens; half of it in batches, and in the flex tier where the model has one. */
const pricer: Pick<Pricer, 'price'> = {
  price: ({ model, tier, batch }, tokens) => {
    if (tier === 'flex' && model === 'plain') return { kind: 'unpriced', reason: 'no flex' };
    const count = (tokens.uncached_input ?? 0) + (tokens.text_output ?? 0);
    const total = usd('0.001')
      .times(count)
      .times(batch || tier === 'flex' ? usd('0.5') : usd('1'));
    const price = { reference: 'x', catalogue: 'x', rates: {} };
    return { kind: 'priced', price, cost: { total, byClass: {}, request: usd('0') } };
  },
};

const call = (input: number, output: number, model = 'small') => ({
  provider: 'openai',
  model,
  tokens: { uncached_input: input, text_output: output },
});
const message = (...calls: readonly ReturnType<typeof call>[]): RecentMessage => ({ bytes: 100, calls });

const forecast = (items: number, sample: readonly RecentMessage[]): CostForecast =>
  forecastCosts({ items, sample, pricer, priceProviderOf: (name) => name, at: new Date(0) });

const shown = ({ modes }: CostForecast) =>
  modes.map(({ mode, total, item, unpriced }) => [
    mode,
    total === undefined ? undefined : [formatUsd(total.p50), formatUsd(total.p90)],
    item === undefined ? undefined : [formatUsd(item.p50), formatUsd(item.p90)],
    unpriced,
  ]);

describe('a forecast', () => {
  it('is the mean times the items, in each mode, where all messages are alike', () => {
    const sample = [message(call(900, 100)), message(call(900, 100))];
    expect(shown(forecast(1000, sample))).toEqual([
      ['online', ['1000', '1000'], ['1', '1'], []],
      ['flex', ['500', '500'], ['0.5', '0.5'], []],
      ['provider', ['500', '500'], ['0.5', '0.5'], []],
    ]);
  });

  it('has a p90 above it by how much they differ, and by how few they are', () => {
    const few = [message(call(500, 0)), message(call(1500, 0))];
    const many = Array.from({ length: 100 }, () => few).flat();
    const p90 = (sample: readonly RecentMessage[], items: number): number =>
      forecast(items, sample).modes[0]?.total?.p90.toNumber() ?? 0;
    expect(p90(few, 10_000)).toBeGreaterThan(p90(many, 10_000));
    expect(p90(many, 10_000)).toBeGreaterThan(10_000);
    expect(p90(many, 10_000)).toBeLessThan(10_700);
    // Of a single item it is far above: the next one may be of either kind.
    expect(p90(many, 1)).toBeGreaterThan(1.5);
    expect(p90([message(call(1000, 0))], 100)).toBeGreaterThan(200);
  });

  it('counts messages without a call, and tells calls and tokens by model', () => {
    const sample = [
      message(call(100, 10), call(200, 20, 'large')),
      message(),
      message(call(100, 10)),
      message(),
    ];
    expect(forecast(400, sample).models).toMatchObject([
      {
        model: 'openai/large',
        callsPerItem: 0.25,
        inputTokens: { p50: 20_000 },
        outputTokens: { p50: 2000 },
      },
      { model: 'openai/small', callsPerItem: 0.5, inputTokens: { p50: 20_000 }, outputTokens: { p50: 2000 } },
    ]);
  });

  it('has no total in a mode that one of the models has no price in', () => {
    const found = forecast(10, [message(call(1000, 0), call(1000, 0, 'plain'))]);
    expect(shown(found)[1]).toEqual(['flex', undefined, undefined, ['openai/plain']]);
    expect(found.models[0]).toMatchObject({ model: 'openai/plain' });
    expect(Object.keys(found.models[0]?.costUsd ?? {})).toEqual(['online', 'provider']);
  });

  it('of nothing is nothing', () => {
    expect(shown(forecast(0, [message(call(1, 1))]))[0]?.[1]).toEqual(['0', '0']);
    expect(shown(forecast(5, [message()]))[0]?.[1]).toEqual(['0', '0']);
  });
});
