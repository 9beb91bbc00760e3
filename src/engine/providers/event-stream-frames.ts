import { crc32 } from 'node:zlib';
import { AnswerFault } from './answer-fault.ts';

/*
 * The binary event streams of AWS: frames of a length, headers and a payload, with two checksums. Here payloads are changed as
 * text, and whole frames go on: whoever reads them need not put pieces together. A frame is
 * total length, length of headers, checksum of both | headers | payload | checksum of all before it, each number of 4 bytes.
 * Checksums are left to the reader.
 */

const preludeBytes = 12;
const checksumBytes = 4;
/** AWS allows 16 MiB of payload and 128 KiB of headers. */
const maxFrameBytes = 16_777_216 + 131_072 + preludeBytes + checksumBytes;

/** Whether an answer is such a stream. */
export function isFrameStream(headers: Headers): boolean {
  return (headers.get('content-type') ?? '').startsWith('application/vnd.amazon.eventstream');
}

/** Changes the payloads of frames; one whose payload stays the same goes on byte by byte. */
export function eachPayload(change: (payload: string) => string): TransformStream<Uint8Array, Uint8Array> {
  const pieces: Uint8Array[] = [];
  let waiting = 0;
  let needed = preludeBytes;
  return new TransformStream({
    transform(piece, controller) {
      pieces.push(piece);
      waiting += piece.byteLength;
      if (waiting < needed) return;
      let rest: Buffer = Buffer.concat(pieces.splice(0));
      for (;;) {
        needed = rest.byteLength < preludeBytes ? preludeBytes : frameBytesOf(rest);
        if (rest.byteLength < needed) break;
        controller.enqueue(changed(rest.subarray(0, needed), change));
        rest = rest.subarray(needed);
      }
      waiting = rest.byteLength;
      if (waiting > 0) pieces.push(rest);
    },
    flush(controller) {
      // Half a frame: its reader says so.
      if (waiting > 0) controller.enqueue(Buffer.concat(pieces));
    },
  });
}

function frameBytesOf(prelude: Buffer): number {
  const total = prelude.readUInt32BE(0);
  if (total > maxFrameBytes) {
    throw new AnswerFault('answer_too_large', `a frame of the stream is longer than ${maxFrameBytes} bytes`);
  }
  // What is no frame goes on as it is, and fails with its reader.
  return Math.max(total, preludeBytes + checksumBytes);
}

function changed(frame: Buffer, change: (payload: string) => string): Buffer {
  const start = preludeBytes + frame.readUInt32BE(4);
  const end = frame.byteLength - checksumBytes;
  if (frame.readUInt32BE(0) !== frame.byteLength || start > end) return frame;
  const before = frame.subarray(start, end).toString('utf8');
  const after = change(before);
  return after === before ? frame : frameOf(frame.subarray(preludeBytes, start), Buffer.from(after, 'utf8'));
}

/** A frame of encoded headers and a payload. */
export function frameOf(headers: Uint8Array, payload: Uint8Array): Buffer {
  const total = preludeBytes + headers.byteLength + payload.byteLength + checksumBytes;
  const frame = Buffer.alloc(total);
  frame.writeUInt32BE(total, 0);
  frame.writeUInt32BE(headers.byteLength, 4);
  frame.writeUInt32BE(crc32(frame.subarray(0, 8)), 8);
  frame.set(headers, preludeBytes);
  frame.set(payload, preludeBytes + headers.byteLength);
  frame.writeUInt32BE(crc32(frame.subarray(0, total - checksumBytes)), total - checksumBytes);
  return frame;
}
