import { embed, type EmbedResult } from 'ai';
import type { CallGroup } from '../../src/engine/calls/call-group.ts';
import type { OwningMessage } from '../../src/engine/calls/call-maker.ts';
import type { MeteredModelsOptions } from '../../src/engine/calls/compose-metered-models.ts';
import type { MeteredModels } from '../../src/engine/calls/metered-models.ts';
import type { MicroBatchOptions } from '../../src/engine/calls/micro-batch-settings.ts';
import { formatUsd, sumUsd, usd } from '../../src/kernel/money.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { type BeforeAnswer, EmbeddingDouble } from './embedding-double.ts';
import { type CallRow, type ModelsHarness, openMeteredModels, someOrigin } from './models-harness.ts';

/* Runs of handlers whose requests for embeddings share one, over a model by a script or the simulator with its bill. */

export const reference = 'scripted/text-embedding-3-small';
export const inSimulator = 'openai/text-embedding-3-small';

/** Texts that are not alike. */
export const texts: readonly string[] = [
  'The tide rises twice a day.',
  'Ebb',
  'A much longer text about rivers, roads and roofs. '.repeat(9),
  'Überfälle im Wald – 海の潮',
  'five words are in here',
];

export interface Asking {
  readonly metered: MeteredModels;
  readonly message: OwningMessage;
  readonly value: string;
  readonly microBatch: MicroBatchOptions;
  readonly model?: string;
  readonly origin?: typeof someOrigin;
  readonly signal?: AbortSignal;
}

export interface SharedRequestsFixture {
  readonly models: ModelsHarness;
  /** A model by a script, whose requests meet something first. */
  scripted(
    before?: BeforeAnswer,
    options?: Partial<MeteredModelsOptions>,
  ): { readonly model: EmbeddingDouble; readonly metered: MeteredModels };
  simulated(options?: Partial<MeteredModelsOptions>): MeteredModels;
  /** A scope that is closed after the test. */
  scopeOf(metered: MeteredModels, message: OwningMessage, origin?: typeof someOrigin): CallGroup;
  /** A run of a handler that embeds one text. */
  ask(asking: Asking): Promise<EmbedResult>;
  messagesOf(count: number): Promise<readonly OwningMessage[]>;
  /** What the provider bills from here on. */
  billFrom(): Promise<() => Promise<{ readonly totalUsd: string; readonly requests: number }>>;
  /** Between tests. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

/** Closes a batch with the last of so many texts: no test waits for a window. */
export function fullWith(maxInputs: number): MicroBatchOptions {
  return { maxInputs, windowMs: 1000 };
}

export function sumOfRows(rows: readonly CallRow[], column: 'cost_usd' | 'upper_bound_usd'): string {
  return formatUsd(sumUsd(rows.map((row) => usd(row[column] ?? '0'))));
}

/** In place of what a list must have. */
export function fail(): never {
  throw new Error('there is one for each');
}

export async function openSharedRequests(): Promise<SharedRequestsFixture> {
  const models = await openMeteredModels();
  const simulator: Simulator = await startSimulator({ seed: 11, latency: { medianMs: 0 } });
  const scopes: CallGroup[] = [];
  const closeScopes = async (): Promise<void> => {
    await Promise.all(scopes.splice(0).map((scope) => scope.close()));
  };
  const scopeOf: SharedRequestsFixture['scopeOf'] = (metered, message, origin = someOrigin) => {
    const scope = metered.openScope({ origin, message, signal: new AbortController().signal });
    scopes.push(scope);
    return scope;
  };
  return {
    models,
    scopeOf,
    scripted(before, options = {}) {
      const model = new EmbeddingDouble(before);
      return {
        model,
        metered: models.metered({ scripted: { kind: 'custom', model: () => model } }, options),
      };
    },
    simulated(options = {}) {
      const baseUrl = `${simulator.url}/openai/v1`;
      return models.metered(
        { openai: { kind: 'openai', baseUrl, apiKey: 'key', timeoutMs: 60_000 } },
        options,
      );
    },
    ask({ metered, message, value, microBatch, model = reference, origin, signal }) {
      const used = scopeOf(metered, message, origin).embeddingModel(model, { step: 'vector', microBatch });
      const abort = signal === undefined ? {} : { abortSignal: signal };
      return embed({ model: used, value, maxRetries: 0, ...abort });
    },
    messagesOf: (count) => Promise.all(Array.from({ length: count }, () => models.leasedMessage())),
    async billFrom() {
      const { next } = await simulator.bill();
      return async () => await simulator.bill({ since: next });
    },
    async reset() {
      await closeScopes();
      await models.clear();
    },
    async close() {
      await closeScopes();
      await simulator.close();
      await models.close();
    },
  };
}
