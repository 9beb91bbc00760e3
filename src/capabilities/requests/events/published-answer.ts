import type { AnswerObserver } from '../../../engine/calls/call-observer.ts';
import type { Clock, Timer } from '../../../kernel/clock.ts';
import type { DeltaEvent } from './request-event.ts';

/** How much time lies between two pieces at least, and how much text is collected meanwhile at most. */
const collectMs = 10;
const maxCollected = 2048;
/** After so many events of a run its text is collected for longer: a log has room for hours of it. */
const manyEvents = 1000;
const collectManyMs = 100;

export interface PublishedAnswerOptions {
  readonly clock: Clock;
  /** What is the same of all its events. */
  readonly about: Pick<DeltaEvent, 'stage' | 'message' | 'run' | 'step' | 'answer'>;
  /** Takes an event; answers how many the run has told by now. */
  readonly tell: (event: DeltaEvent) => number;
  readonly onEnd: () => void;
}

/** The text of one answer on its way out, piece by piece: at once where the last piece is some time ago, else as it collects. */
export class PublishedAnswer implements AnswerObserver {
  readonly #options: PublishedAnswerOptions;
  readonly #told = { text: 0, reasoning: 0 };
  #kind: 'text' | 'reasoning' = 'text';
  #collected = '';
  #timer: Timer | undefined;
  #count = 0;
  #toldMs = -Infinity;

  constructor(options: PublishedAnswerOptions) {
    this.#options = options;
  }

  text(kind: 'text' | 'reasoning', delta: string): void {
    if (delta === '') return;
    if (kind !== this.#kind) this.flush();
    this.#kind = kind;
    this.#collected += delta;
    const { clock } = this.#options;
    const pauseMs = this.#count > manyEvents ? collectManyMs : collectMs;
    const leftMs = this.#toldMs + pauseMs - clock.monotonicMs();
    if (leftMs <= 0 || this.#collected.length >= maxCollected) this.flush();
    else this.#timer ??= clock.startTimer(leftMs, () => this.flush());
  }

  end(): void {
    this.flush();
    this.#options.onEnd();
  }

  /** Tells what has collected. */
  flush(): void {
    this.#timer?.close();
    this.#timer = undefined;
    if (this.#collected !== '') this.#toldMs = this.#options.clock.monotonicMs();
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
