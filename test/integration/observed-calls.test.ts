import { generateText, streamText } from 'ai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CallObserver } from '../../src/engine/calls/call-observer.ts';
import type { CallGroup } from '../../src/engine/calls/call-group.ts';
import { formatUsd } from '../../src/kernel/money.ts';
import type { Script } from '../../src/testing/scripted-model.ts';
import { type ModelsHarness, openMeteredModels, someOrigin } from '../support/models-harness.ts';

let models: ModelsHarness;
beforeAll(async () => {
  models = await openMeteredModels();
});
beforeEach(() => models.clear());
afterAll(() => models.close());

const priced = 'scripted/gpt-5-mini';

/** What an observer was told, in order. */
class Told implements CallObserver {
  readonly lines: string[] = [];
  readonly costs: string[] = [];
  readonly #settled: (() => void) | undefined;

  constructor(onSettled?: () => void) {
    this.#settled = onSettled;
  }

  beginAnswer(step: string): ReturnType<CallObserver['beginAnswer']> {
    this.lines.push(`begin ${step}`);
    return {
      text: (kind, delta) => void this.lines.push(`${kind} ${delta}`),
      end: () => void this.lines.push('end'),
    };
  }

  settled(...[call, { costUsd }]: Parameters<CallObserver['settled']>): void {
    this.lines.push(`settled ${call.step} ${call.provider}/${call.model}`);
    this.costs.push(costUsd === undefined ? 'unknown' : formatUsd(costUsd));
    this.#settled?.();
  }

  /** What came of each kind, and what else was told. */
  get text(): string {
    return this.#joined('text');
  }
  get reasoning(): string {
    return this.#joined('reasoning');
  }

  #joined(kind: string): string {
    return this.lines
      .filter((line) => line.startsWith(`${kind} `))
      .map((line) => line.slice(kind.length + 1))
      .join('');
  }
}

async function open(script: Script, told = new Told()): Promise<{ scope: CallGroup; told: Told }> {
  const { metered } = models.scripted(script);
  const message = await models.leasedMessage();
  const { signal } = new AbortController();
  return { scope: metered.openScope({ origin: someOrigin, message, signal, observer: told }), told };
}

describe('a published answer', () => {
  it('is told of piece by piece as a stream, and its call when it is settled', async () => {
    const { scope, told } = await open([{ text: 'one two three four five', reasoning: 'hm so' }]);
    const result = streamText({
      model: scope.languageModel(priced, { step: 's', publish: true }),
      prompt: 'x',
    });
    expect(await result.text).toBe('one two three four five');
    expect(told.text).toBe('one two three four five');
    expect(told.reasoning).toBe('hm so');
    expect(told.lines.filter((line) => line.startsWith('text ')).length).toBeGreaterThan(1);
    expect(told.lines[0]).toBe('begin s');
    expect(told.lines.slice(-2)).toEqual(['settled s scripted/gpt-5-mini', 'end']);
    expect(told.costs).toEqual([expect.stringMatching(/^0\.\d+$/)]);
    await scope.close();
  });

  it('is told of as a whole when it comes whole', async () => {
    const { scope, told } = await open([{ text: 'one two three', reasoning: 'hm' }]);
    await generateText({ model: scope.languageModel(priced, { step: 's', publish: true }), prompt: 'x' });
    expect(told.lines).toEqual([
      'settled s scripted/gpt-5-mini',
      'begin s',
      'reasoning hm',
      'text one two three',
      'end',
    ]);
    await scope.close();
  });

  it('is told of again when it was recorded, since the text of an attempt begins anew', async () => {
    const { metered } = models.scripted(['an answer']);
    const message = await models.leasedMessage();
    const ask = async (owning: typeof message): Promise<Told> => {
      const told = new Told();
      const { signal } = new AbortController();
      const scope = metered.openScope({ origin: someOrigin, message: owning, signal, observer: told });
      const { text } = streamText({
        model: scope.languageModel(priced, { step: 's', publish: true }),
        prompt: 'x',
      });
      expect(await text).toBe('an answer');
      await scope.close();
      return told;
    };
    await ask(message);
    const again = await ask(await models.redeliver(message));
    expect(again.lines).toEqual(['begin s', 'text an answer', 'end']);
  });

  it('ends where its stream breaks off, with what came', async () => {
    const { scope, told } = await open([{ text: 'one two three four', cutAfterParts: 5 }]);
    const result = streamText({
      model: scope.languageModel(priced, { step: 's', publish: true }),
      prompt: 'x',
      onError: () => undefined,
    });
    await expect(result.text).rejects.toThrow();
    expect(told.text).not.toBe('');
    expect(told.lines.filter((line) => line === 'end')).toHaveLength(1);
    await scope.close();
  });
});

it('is nothing without "publish", but for the calls', async () => {
  const { scope, told } = await open(['a', 'b']);
  await streamText({ model: scope.languageModel(priced, { step: 's' }), prompt: 'x' }).text;
  await generateText({ model: scope.languageModel(priced, { step: 't', publish: false }), prompt: 'y' });
  expect(told.lines).toEqual(['settled s scripted/gpt-5-mini', 'settled t scripted/gpt-5-mini']);
  await scope.close();
});
