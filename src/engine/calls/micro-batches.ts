import type { Clock, Timer } from '../../kernel/clock.ts';
import { newId } from '../../kernel/ids.ts';
import type { EngineBounds } from '../metrics/engine-bounds.ts';
import type { MicroBatchSettings } from './micro-batch-settings.ts';
import type { SharedEmbeddingsServices } from './shared-embeddings.ts';
import { type EmbeddingShare, type JoiningCall, SharedRequest } from './shared-request.ts';

/*
 * Calls for embeddings that wait for others of their kind, for a few milliseconds: whoever comes first opens a batch, which is closed when
 * it is full or its time is over. Nothing of them is in the ledger yet. A batch of one is no shared request.
 */

/** Where a call waits: calls of one key may share a request. */
export interface BatchPlace {
  readonly key: string;
  readonly settings: Pick<MicroBatchSettings, 'maxInputs' | 'maxInputTokens' | 'windowMs'>;
}

interface WaitingCall {
  readonly joining: JoiningCall;
  readonly resolve: (share: EmbeddingShare | undefined) => void;
}

interface OpenBatch {
  readonly calls: WaitingCall[];
  readonly timer: Timer;
  inputs: number;
  tokens: number;
}

/** The most texts that wait in a process; further ones are asked for alone. */
const maxWaiting = 20_000;

export class MicroBatches {
  readonly #services: SharedEmbeddingsServices;
  readonly #clock: Clock;
  readonly #open = new Map<string, OpenBatch>();
  #waiting = 0;
  #peak = 0;

  constructor(services: SharedEmbeddingsServices, bounds?: EngineBounds) {
    this.#services = services;
    this.#clock = services.clock;
    bounds?.register('micro_batches', { limit: maxWaiting, takePeak: () => this.#takePeak() });
  }

  /** The call's place in a shared request; undefined when it is to be asked for alone, or is not wanted any more. */
  async join({ key, settings }: BatchPlace, joining: JoiningCall): Promise<EmbeddingShare | undefined> {
    const inputs = inputsOf(joining);
    const tokens = tokensOf(joining);
    const isTooLarge = inputs >= settings.maxInputs || tokens >= settings.maxInputTokens;
    if (isTooLarge || joining.signal.aborted || this.#waiting + inputs > maxWaiting) return undefined;
    const open = this.#open.get(key);
    if (open !== undefined) {
      const isOver =
        open.inputs + inputs > settings.maxInputs || open.tokens + tokens > settings.maxInputTokens;
      if (isOver) this.#close(key, open);
    }
    const batch = this.#open.get(key) ?? this.#begin(key, settings.windowMs);
    this.#waiting += inputs;
    this.#peak = Math.max(this.#peak, this.#waiting);
    const { promise, resolve } = Promise.withResolvers<EmbeddingShare | undefined>();
    const call: WaitingCall = { joining, resolve };
    const onAbort = (): void => this.#withdraw(key, call);
    joining.signal.addEventListener('abort', onAbort, { once: true });
    batch.calls.push(call);
    batch.inputs += inputs;
    batch.tokens += tokens;
    if (batch.inputs >= settings.maxInputs) this.#close(key, batch);
    try {
      return await promise;
    } finally {
      joining.signal.removeEventListener('abort', onAbort);
      this.#waiting -= inputs;
    }
  }

  #begin(key: string, windowMs: number): OpenBatch {
    const batch: OpenBatch = {
      calls: [],
      inputs: 0,
      tokens: 0,
      timer: this.#clock.startTimer(windowMs, () => this.#close(key, batch)),
    };
    this.#open.set(key, batch);
    return batch;
  }

  #close(key: string, batch: OpenBatch): void {
    batch.timer.close();
    if (this.#open.get(key) === batch) this.#open.delete(key);
    const { calls } = batch;
    if (calls.length < 2) {
      for (const { resolve } of calls) resolve(undefined);
      return;
    }
    const joining = calls.map((call) => call.joining);
    const { shares } = new SharedRequest(this.#services, newId(this.#clock.now()), joining);
    calls.forEach(({ resolve }, place) => resolve(shares[place]));
  }

  #withdraw(key: string, call: WaitingCall): void {
    const batch = this.#open.get(key);
    const place = batch?.calls.indexOf(call) ?? -1;
    if (batch === undefined || place === -1) return;
    batch.calls.splice(place, 1);
    batch.inputs -= inputsOf(call.joining);
    batch.tokens -= tokensOf(call.joining);
    call.resolve(undefined);
    if (batch.calls.length === 0) this.#close(key, batch);
  }

  #takePeak(): number {
    const peak = this.#peak;
    this.#peak = this.#waiting;
    return peak;
  }
}

function inputsOf({ params }: JoiningCall): number {
  return params.values.length;
}

function tokensOf({ bounds }: JoiningCall): number {
  return bounds.maxInputTokens;
}
