import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eachPayload, frameOf } from './event-stream-frames.ts';

async function through(bytes: Uint8Array, sizes: readonly number[], change: (text: string) => string) {
  const pieces: Uint8Array[] = [];
  for (let at = 0, turn = 0; at < bytes.byteLength; turn += 1) {
    const end = at + (sizes[turn % sizes.length] ?? bytes.byteLength);
    pieces.push(bytes.subarray(at, end));
    at = end;
  }
  const changed: Uint8Array[] = [];
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  }).pipeThrough(eachPayload(change));
  for await (const piece of stream) changed.push(piece);
  return changed;
}

const headers = Buffer.from('not looked at');
const frame = (text: string): Buffer => frameOf(headers, Buffer.from(text));

describe('frames of a binary event stream', () => {
  it('come whole, however they arrive, with their payloads changed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'grapheme', maxLength: 40 }), { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 4 }),
        async (payloads, sizes) => {
          const given = Buffer.concat(payloads.map(frame));
          const changed = await through(given, sizes, (text) => text.replaceAll('e', '[redacted]'));
          const wanted = payloads.map((text) => frame(text.replaceAll('e', '[redacted]')));
          expect(Buffer.concat(changed).equals(Buffer.concat(wanted))).toBe(true);
          expect(changed).toHaveLength(wanted.length);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('that stay the same go on byte by byte, wrong checksums included', async () => {
    const broken = frame('{}');
    const last = broken.byteLength - 1;
    broken.writeUInt8(broken.readUInt8(last) ^ 1, last);
    expect(Buffer.concat(await through(broken, [5], (text) => text))).toEqual(broken);
  });

  it('that break off, or are none, go on as they are', async () => {
    const half = frame('{"a":1}').subarray(0, 20);
    expect(Buffer.concat(await through(half, [7], (text) => text))).toEqual(half);
    const none = Buffer.alloc(40);
    expect(Buffer.concat(await through(none, [9], () => 'changed'))).toEqual(none);
    const lying = frame('{}');
    lying.writeUInt32BE(1_000_000, 4);
    expect(Buffer.concat(await through(lying, [9], () => 'changed'))).toEqual(lying);
  });

  it('are refused when they are longer than any of AWS', async () => {
    const huge = frame('{}');
    huge.writeUInt32BE(0xff_ff_ff_ff, 0);
    await expect(through(huge, [9], (text) => text)).rejects.toMatchObject({ kind: 'answer_too_large' });
  });
});
