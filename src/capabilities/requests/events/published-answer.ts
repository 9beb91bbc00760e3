import type { AnswerObserver } from '../../../engine/calls/call-observer.ts';
import type { Clock, Timer } from '../../../kernel/clock.ts';
import type { DeltaEvent } from './request-event.ts';

/** How long text is collected before it is told, and how much at most. */
const collectMs = 20;
const maxCollected = 2048;
/** After so many events of a run its text is collected for longer: a log has room for hours of it. */
export const manyEvents = 1000;
const collectManyMs = 100;

export interface PublishedAnswerOptions {
  readonly clock: Clock;
  /** What is the same of all its events. */
  readonly about: Pick<DeltaEvent, 'stage' | 'message' | 'run' | 'step' | 'answer'>;
  /** Takes an event; answers how many the run has told by now. */
  readonly tell: (event: DeltaEvent) => number;
  readonly onEnd: () => void;
}

/** The text of one answer on its way out, piece by piece: the first at once, the others as they collect. */
export class PublishedAnswer implements AnswerObserver {
  readonly #options: PublishedAnswerOptions;
  readonly #told = { text: 0, reasoning: 0 };
  #kind: 'text' | 'reasoning' = 'text';
  #collected = '';
  #timer: Timer | undefined;
  #count = 0;

  constructor(options: PublishedAnswerOptions) {
    this.#options = options;
  }

  text(kind: 'text' | 'reasoning', delta: string): void {
    if (delta === '') return;
    if (kind !== this.#kind) this.flush();
    this.#kind = kind;
    this.#collected += delta;
    if (this.#told[kind] === 0 || this.#collected.length >= maxCollected) this.flush();
    else
      this.#timer ??= this.#options.clock.startTimer(
        this.#count > manyEvents ? collectManyMs : collectMs,
        () => this.flush(),
      );
  }

  end(): void {
    this.flush();
    this.#options.onEnd();
  }

  /** Tells what has collected. */
  flush(): void {
    this.#timer?.close();
    this.#timer = undefined;
    // In pieces: an answer that comes whole may be long.
    while (this.#collected !== '') {
      const text = pieceOf(this.#collected);
      this.#collected = this.#collected.slice(text.length);
      const offset = this.#told[this.#kind];
      this.#told[this.#kind] += text.length;
      const kind = this.#kind === 'text' ? 'text-delta' : 'reasoning-delta';
      this.#count = this.#options.tell({ kind, ...this.#options.about, offset, text });
    }
  }
}

const maxPiece = 16_384;

/** The beginning of a text, not cut within a character. */
function pieceOf(text: string): string {
  if (text.length <= maxPiece) return text;
  const last = text.charCodeAt(maxPiece - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? maxPiece - 1 : maxPiece);
}
