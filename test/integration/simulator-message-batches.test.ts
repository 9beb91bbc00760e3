import Anthropic from '@anthropic-ai/sdk';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import type { BatchRuleInput } from '../../src/simulator/batches/batch-config.ts';
import { attoOfUsd } from '../../src/simulator/simulator-prices.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { billedItems, countOf } from '../support/simulated-batches.ts';

/*
 * The simulator's message batches as Anthropic's own SDK sees them. They last an hour of its clock, which tests set.
 */

const hourMs = 3_600_000;
let aheadMs = 0;
const clock = { ...systemClock, now: () => new Date(Date.now() + aheadMs) };

let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator({
    seed: 7,
    clock,
    latency: { medianMs: 0 },
    batches: { durationMs: hourMs },
  });
});
afterEach(() => {
  simulator.setBatchRules([]);
  simulator.setRules([]);
});
afterAll(() => simulator.close());

const anthropic = () =>
  new Anthropic({ baseURL: `${simulator.url}/anthropic`, apiKey: 'test-key', maxRetries: 0 });

const rule = (fault: BatchRuleInput['fault'], more: Partial<BatchRuleInput> = {}): void =>
  simulator.setBatchRules([{ fault, ...more }]);

const messageRequests = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    custom_id: `item-${index}`,
    params: {
      model: 'claude-haiku-4-5',
      max_tokens: 100,
      messages: [{ role: 'user' as const, content: `What is item ${index}?` }],
    },
  }));

async function messageResults(id: string) {
  const results = [];
  for await (const each of await anthropic().messages.batches.results(id)) results.push(each);
  return results;
}

describe("Anthropic's message batches", () => {
  it('answer every request at half the price, and count only at the end', async () => {
    const batch = await anthropic().messages.batches.create({ requests: messageRequests(20) });
    expect(batch).toMatchObject({ processing_status: 'in_progress', request_counts: { processing: 20 } });
    aheadMs += hourMs / 2;
    expect(await anthropic().messages.batches.retrieve(batch.id)).toMatchObject({
      request_counts: { processing: 20, succeeded: 0 },
      results_url: null,
    });
    aheadMs += hourMs / 2;
    const ended = await anthropic().messages.batches.retrieve(batch.id);
    expect(ended).toMatchObject({
      processing_status: 'ended',
      request_counts: { processing: 0, succeeded: 20 },
    });
    const results = await messageResults(batch.id);
    expect(results.map(({ result }) => result.type)).toEqual(results.map(() => 'succeeded'));
    const [first] = results;
    const message = first?.result.type === 'succeeded' ? first.result.message : undefined;
    expect(message?.usage.service_tier).toBe('batch');
    const entry = (await billedItems(simulator, batch.id)).find(
      ({ batch: of }) => of?.customId === first?.custom_id,
    );
    const input = BigInt(message?.usage.input_tokens ?? 0);
    const output = BigInt(message?.usage.output_tokens ?? 0);
    expect(attoOfUsd(entry?.costUsd ?? '0')).toBe(input * 500_000_000_000n + output * 2_500_000_000_000n);
  });

  it('cancel, expire and are deleted', async () => {
    const cancelled = await anthropic().messages.batches.create({ requests: messageRequests(60) });
    aheadMs += hourMs / 2;
    await expect(anthropic().messages.batches.delete(cancelled.id)).rejects.toMatchObject({ status: 400 });
    await anthropic().messages.batches.cancel(cancelled.id);
    const kinds = (await messageResults(cancelled.id)).map(({ result }) => result.type);
    expect(new Set(kinds)).toEqual(new Set(['succeeded', 'canceled']));
    expect(await billedItems(simulator, cancelled.id)).toHaveLength(
      kinds.filter((kind) => kind === 'succeeded').length,
    );

    rule('slow', { delayMs: 47 * hourMs });
    const slow = await anthropic().messages.batches.create({ requests: messageRequests(60) });
    aheadMs += 25 * hourMs;
    const ends = (await messageResults(slow.id)).map(({ result }) => result.type);
    expect(new Set(ends)).toEqual(new Set(['succeeded', 'expired']));

    expect(await anthropic().messages.batches.delete(slow.id)).toMatchObject({
      type: 'message_batch_deleted',
    });
    await expect(anthropic().messages.batches.retrieve(slow.id)).rejects.toMatchObject({ status: 404 });
  });

  it('refuse at once what is not valid, and fail single items by the rules of their model', async () => {
    const [request] = messageRequests(1);
    const twice = [request, request].filter((each) => each !== undefined);
    await expect(anthropic().messages.batches.create({ requests: twice })).rejects.toMatchObject({
      status: 400,
    });
    await expect(anthropic().messages.batches.create({ requests: [] })).rejects.toMatchObject({
      status: 400,
    });

    simulator.setRules([{ fault: 'content_policy', match: { contains: 'item 3?' } }]);
    const batch = await anthropic().messages.batches.create({ requests: messageRequests(5) });
    aheadMs += hourMs;
    const failed = (await messageResults(batch.id)).filter(({ result }) => result.type === 'errored');
    expect(failed.map(({ custom_id: id }) => id)).toEqual(['item-3']);
    expect(await billedItems(simulator, batch.id)).toHaveLength(4);
  });

  it('were accepted although the answer was a server error', async () => {
    const before = await countOf(anthropic().messages.batches.list({ limit: 2 }));
    rule('create_error_after');
    const requests = messageRequests(3);
    await expect(anthropic().messages.batches.create({ requests })).rejects.toMatchObject({ status: 500 });
    expect(await countOf(anthropic().messages.batches.list({ limit: 2 }))).toBe(before + 1);
  });
});
