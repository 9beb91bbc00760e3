import { addUsd, formatUsd, usd, zeroUsd } from '../../../kernel/money.ts';
import type { ShownRequest, StreamedEvent, StreamEvent } from './event-stream.ts';
import type { StreamRendering } from './native-rendering.ts';
import type { DeltaEvent } from './request-event.ts';
import { sseFrame } from './sse-frame.ts';

/*
 * The UI message stream of the AI SDK (version 1): what `useChat` reads. It has no ids and is always a replay from the start. One step
 * holds the published answers of the runs that are going on together. A run that begins again takes its text back by `reset-step`, which empties the
 * step, so that what the others in it have said is said again.
 */

type Chunk = { readonly type: string } & Readonly<Record<string, unknown>>;

interface Block {
  readonly id: string;
  readonly message: string;
  readonly kind: 'text' | 'reasoning';
  text: string;
}

export class UiMessageRendering implements StreamRendering {
  /** What the present step holds, by the id of its block; undefined outside a step. */
  #step: Map<string, Block> | undefined;
  /** Whose runs go on within the step. */
  readonly #running = new Set<string>();
  #hasText = false;
  #spentUsd = zeroUsd;
  #tokens = 0;

  begin(): string {
    return '';
  }

  render({ event }: StreamedEvent): string {
    return this.#chunksOf(event)
      .map((chunk) => sseFrame({ data: JSON.stringify(chunk) }))
      .join('');
  }

  end(): string {
    return sseFrame({ data: '[DONE]' });
  }

  #chunksOf(event: StreamEvent): readonly Chunk[] {
    switch (event.kind) {
      case 'accepted':
        return [
          { type: 'start', messageId: event.request.id, messageMetadata: { requestId: event.request.id } },
        ];
      case 'stage-started':
        return [dataOf('stage', { stage: event.stage, state: 'started' })];
      case 'attempt-restarted':
        return [...this.#restart(event.message), dataOf('stage', { stage: event.stage, state: 'restarted' })];
      case 'progress':
        return [dataOf('progress', { stage: event.stage, share: event.share })];
      case 'text-delta':
      case 'reasoning-delta':
        return this.#delta(event);
      case 'stage-ended':
        return [
          ...this.#endRun(event.message, event.outcome === 'completed'),
          dataOf('stage', { stage: event.stage, state: event.outcome }),
        ];
      case 'usage':
        if (event.usd !== undefined) this.#spentUsd = addUsd(this.#spentUsd, usd(event.usd));
        this.#tokens += event.tokens;
        return [this.#usage(formatUsd(this.#spentUsd), false)];
      case 'events-lost':
        return [dataOf('events-lost', {})];
      case 'completed':
        return this.#complete(event.request);
      case 'failed': {
        const { error } = event.request;
        const text = error === undefined ? 'The request failed.' : `${error.code}: ${error.message}`;
        return [
          ...this.#closeStep(),
          this.#usage(event.request.cost.usd, true),
          { type: 'error', errorText: text },
        ];
      }
      case 'cancelled':
        return [
          ...this.#closeStep(),
          this.#usage(event.request.cost.usd, true),
          { type: 'abort', reason: event.request.error?.message ?? 'The request was cancelled.' },
        ];
    }
  }

  #complete(request: ShownRequest): readonly Chunk[] {
    // Where no stage publishes its answers, the result is what there is to see.
    const result =
      request.resultAt === undefined
        ? { type: 'data-result', id: 'result', data: request.result ?? null }
        : { type: 'data-result', id: 'result', data: { resultAt: request.resultAt } };
    return [
      ...this.#closeStep(),
      ...(this.#hasText ? [] : [result]),
      this.#usage(request.cost.usd, true),
      {
        type: 'finish',
        finishReason: 'stop',
        messageMetadata: { requestId: request.id, usd: request.cost.usd },
      },
    ];
  }

  #usage(spentUsd: string, isFinal: boolean): Chunk {
    return { type: 'data-usage', id: 'usage', data: { usd: spentUsd, tokens: this.#tokens, isFinal } };
  }

  #delta({ message, answer, kind, text }: DeltaEvent): readonly Chunk[] {
    const chunks: Chunk[] = [];
    if (this.#step === undefined) {
      this.#step = new Map();
      chunks.push({ type: 'start-step' });
    }
    this.#running.add(message);
    this.#hasText = true;
    const blockKind = kind === 'text-delta' ? 'text' : 'reasoning';
    const id = `${message}-${answer}-${blockKind}`;
    let block = this.#step.get(id);
    if (block === undefined) {
      block = { id, message, kind: blockKind, text: '' };
      this.#step.set(id, block);
      chunks.push({ type: `${blockKind}-start`, id });
    }
    block.text += text;
    chunks.push({ type: kind, id, delta: text });
    return chunks;
  }

  /** The text of the message's run is void. */
  #restart(message: string): readonly Chunk[] {
    const step = this.#step;
    if (step === undefined || ![...step.values()].some((block) => block.message === message)) return [];
    for (const [id, block] of step) if (block.message === message) step.delete(id);
    return [
      { type: 'reset-step' },
      ...[...step.values()].flatMap(({ id, kind, text }) => [
        { type: `${kind}-start`, id },
        { type: `${kind}-delta`, id, delta: text },
      ]),
    ];
  }

  /** A run that has ended for good has said what it says; a step ends with the last of its runs. */
  #endRun(message: string, isOver: boolean): readonly Chunk[] {
    if (!isOver || !this.#running.delete(message) || this.#running.size > 0) return [];
    return this.#closeStep();
  }

  #closeStep(): readonly Chunk[] {
    const step = this.#step;
    if (step === undefined) return [];
    this.#step = undefined;
    this.#running.clear();
    return [
      ...[...step.values()].map(({ id, kind }) => ({ type: `${kind}-end`, id })),
      { type: 'finish-step' },
    ];
  }
}

/** What is shown while it is so, and no part of the message. */
function dataOf(name: string, data: Readonly<Record<string, unknown>>): Chunk {
  return { type: `data-${name}`, data, transient: true };
}
