/** One line of an input, without its end. */
export interface InputLine {
  /** From 1; empty lines count. */
  readonly number: number;
  /** Undefined where the line is longer than the limit: what comes of it is thrown away as it comes. */
  readonly bytes: Buffer | undefined;
  readonly length: number;
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);
const blank = /^[\t\r ]*$/;
/** A longer line is not looked at for being blank. */
const maxBlankBytes = 64;

/** The lines of a text that comes in pieces, without the blank ones, and without a byte order mark. At most `maxLineBytes` are held. */
export async function* inputLines(
  pieces: AsyncIterable<Uint8Array>,
  maxLineBytes: number,
): AsyncGenerator<InputLine> {
  let held: Uint8Array[] = [];
  let length = 0;
  let isTooLong = false;
  let number = 0;
  const take = (piece: Uint8Array): void => {
    length += piece.length;
    if (length > maxLineBytes) {
      isTooLong = true;
      held = [];
    } else if (piece.length > 0) {
      held.push(piece);
    }
  };
  const end = (): InputLine | undefined => {
    number += 1;
    const whole = isTooLong ? undefined : withoutEnds(held, number);
    const line = { number, bytes: whole, length };
    held = [];
    length = 0;
    isTooLong = false;
    return whole !== undefined && isBlank(whole) ? undefined : line;
  };
  for await (const piece of pieces) {
    let start = 0;
    for (let at = piece.indexOf(lineFeed); at >= 0; at = piece.indexOf(lineFeed, start)) {
      take(piece.subarray(start, at));
      start = at + 1;
      const line = end();
      if (line !== undefined) yield line;
    }
    // What is held across pieces is copied: the piece's memory belongs to whoever made it.
    if (start < piece.length) take(Uint8Array.prototype.slice.call(piece, start));
  }
  if (length > 0) {
    const last = end();
    if (last !== undefined) yield last;
  }
}

function withoutEnds(parts: readonly Uint8Array[], number: number): Buffer {
  const [only] = parts;
  const joined =
    parts.length === 1 && only !== undefined
      ? Buffer.from(only.buffer, only.byteOffset, only.byteLength)
      : Buffer.concat(parts);
  const start = number === 1 && joined.subarray(0, 3).equals(byteOrderMark) ? 3 : 0;
  const end = joined.at(-1) === carriageReturn ? joined.length - 1 : joined.length;
  return joined.subarray(start, Math.max(start, end));
}

function isBlank(bytes: Buffer): boolean {
  return bytes.length <= maxBlankBytes && blank.test(bytes.toString('latin1'));
}
