/**
 * The lines of a text that comes in pieces. A line that is longer than the limit is `undefined`; what comes of it is thrown away
 * as it comes. Empty lines are left out.
 */
export async function* textLines(
  pieces: AsyncIterable<Uint8Array>,
  maxLineBytes: number,
): AsyncGenerator<string | undefined> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let isTooLong = false;
  const take = (piece: Uint8Array): void => {
    heldBytes += piece.length;
    if (heldBytes > maxLineBytes) {
      isTooLong = true;
      held = [];
    } else if (!isTooLong) {
      held.push(piece);
    }
  };
  const end = (): string | undefined => {
    const text = isTooLong ? undefined : Buffer.concat(held).toString('utf8');
    held = [];
    heldBytes = 0;
    isTooLong = false;
    return text;
  };
  for await (const piece of pieces) {
    let start = 0;
    for (let at = piece.indexOf(0x0a); at >= 0; at = piece.indexOf(0x0a, start)) {
      take(piece.subarray(start, at));
      start = at + 1;
      const line = end();
      if (line === undefined || line.trim() !== '') yield line;
    }
    take(piece.subarray(start));
  }
  const last = end();
  if (last === undefined || last.trim() !== '') yield last;
}
