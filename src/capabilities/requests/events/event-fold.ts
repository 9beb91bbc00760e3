import { addUsd, formatUsd, type Usd, usd, zeroUsd } from '../../../kernel/money.ts';
import type { DeltaEvent, LoggedEvent, RequestEvent } from './request-event.ts';

/*
 * What the events of a log mean together: text that was told twice is told once, what a lost run still says after its successor has begun is left
 * out, text that is missing is noticed, and costs are added up.
 */

/** An event as it is shown: a usage with what was spent up to it. */
export type FoldedEvent =
  | Exclude<RequestEvent, { kind: 'usage' }>
  | (Extract<RequestEvent, { kind: 'usage' }> & { readonly soFarUsd: string });

export interface Folded {
  readonly id: number;
  readonly event: FoldedEvent;
}

interface MessageText {
  run: number;
  /** How much of each answer was told, by answer and kind. */
  readonly told: Map<string, number>;
}

/** Messages whose text is followed at once. Of more, text is shown as it comes. */
const maxFollowed = 1000;

export class EventFold {
  readonly #messages = new Map<string, MessageText>();
  #spentUsd: Usd = zeroUsd;
  #isFirst = true;
  readonly #requestId: string;

  constructor(requestId: string) {
    this.#requestId = requestId;
  }

  /** What is shown of an event: nothing, itself, or that events are lost before it. */
  take({ id, event }: LoggedEvent): readonly Folded[] {
    const isBeginning =
      (event.kind === 'stage-started' || event.kind === 'attempt-restarted') &&
      event.message === this.#requestId;
    const hasLost = this.#isFirst && !isBeginning && !isEndOrLoss(event);
    this.#isFirst = false;
    const shown = this.#shown(id, event);
    if (!hasLost || shown.some((one) => one.event.kind === 'events-lost')) return shown;
    return [{ id: id - 1, event: { kind: 'events-lost' } }, ...shown];
  }

  #shown(id: number, event: RequestEvent): readonly Folded[] {
    switch (event.kind) {
      case 'stage-started':
      case 'attempt-restarted': {
        const known = this.#messages.get(event.message);
        if (known !== undefined && known.run >= event.run) return [];
        this.#follow(event.message, event.run);
        return [{ id, event }];
      }
      case 'progress':
        return this.#isOld(event) ? [] : [{ id, event }];
      case 'stage-ended':
        if (this.#isOld(event)) return [];
        // The number stays, for what an older run may still say.
        this.#messages.get(event.message)?.told.clear();
        return [{ id, event }];
      case 'text-delta':
      case 'reasoning-delta':
        return this.#isOld(event) ? [] : this.#delta(id, event);
      case 'usage': {
        if (event.usd !== undefined) this.#spentUsd = addUsd(this.#spentUsd, usd(event.usd));
        return [{ id, event: { ...event, soFarUsd: formatUsd(this.#spentUsd) } }];
      }
      case 'events-lost':
      case 'completed':
      case 'failed':
      case 'cancelled':
        return [{ id, event }];
    }
  }

  #delta(id: number, event: DeltaEvent): readonly Folded[] {
    const known = this.#messages.get(event.message) ?? this.#follow(event.message, event.run);
    if (known === undefined) return [{ id, event }];
    const place = `${event.answer} ${event.kind}`;
    const told = known.told.get(place) ?? 0;
    const end = event.offset + event.text.length;
    if (end <= told) return [];
    known.told.set(place, end);
    if (event.offset > told)
      return [
        { id: id - 1, event: { kind: 'events-lost' } },
        { id, event },
      ];
    if (event.offset === told) return [{ id, event }];
    return [{ id, event: { ...event, offset: told, text: event.text.slice(told - event.offset) } }];
  }

  #isOld({ message, run }: { readonly message: string; readonly run: number }): boolean {
    return (this.#messages.get(message)?.run ?? 0) > run;
  }

  #follow(message: string, run: number): MessageText | undefined {
    if (this.#messages.size >= maxFollowed && !this.#messages.has(message)) return undefined;
    const followed: MessageText = { run, told: new Map() };
    this.#messages.set(message, followed);
    return followed;
  }
}

function isEndOrLoss({ kind }: RequestEvent): boolean {
  return kind === 'events-lost' || kind === 'completed' || kind === 'failed' || kind === 'cancelled';
}
