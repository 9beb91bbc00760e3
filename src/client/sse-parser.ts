/** One event of a stream of Server-Sent Events. */
export interface SseFrame {
  /** The newest id of the stream, of this event or of one before. */
  readonly id: string;
  /** Its name; `message` where it has none. */
  readonly name: string;
  readonly data: string;
}

/** Of one event. An answer larger than this is not in a stream but in its request. */
const maxCharacters = 33_554_432;

/** Reads event streams as WHATWG HTML has them ("event stream interpretation"), in pieces of any size. */
export class SseParser {
  #rest = '';
  #id = '';
  #name = '';
  #data: string[] = [];
  #characters = 0;
  /** The last piece ended in a carriage return: a line feed that comes next belongs to it. */
  #isAfterReturn = false;

  /** The events that are whole by now. Throws RangeError for one that is too large. */
  push(piece: string): readonly SseFrame[] {
    const frames: SseFrame[] = [];
    let text = this.#isAfterReturn && piece.startsWith('\n') ? piece.slice(1) : piece;
    if (piece !== '') this.#isAfterReturn = piece.endsWith('\r');
    let start = 0;
    for (const { index, 0: end } of text.matchAll(/\r\n|\n|\r/g)) {
      this.#take(this.#rest + text.slice(start, index), frames);
      this.#rest = '';
      start = index + end.length;
    }
    text = text.slice(start);
    this.#bound(text.length);
    this.#rest += text;
    return frames;
  }

  #take(line: string, frames: SseFrame[]): void {
    if (line === '') {
      if (this.#data.length > 0)
        frames.push({ id: this.#id, name: this.#name || 'message', data: this.#data.join('\n') });
      this.#data = [];
      this.#name = '';
      this.#characters = 0;
      return;
    }
    const colon = line.indexOf(':');
    // A comment, such as a heartbeat.
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'data') {
      this.#bound(value.length);
      this.#characters += value.length;
      this.#data.push(value);
    } else if (field === 'event') this.#name = value;
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
  }

  #bound(more: number): void {
    if (this.#characters + this.#rest.length + more > maxCharacters)
      throw new RangeError(`An event has more than ${maxCharacters} characters.`);
  }
}
