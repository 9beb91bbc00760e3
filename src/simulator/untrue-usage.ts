import type { FaultName } from './simulator-config.ts';

/*
 * What a provider says about usage is not always so. The answer is written as if it told the truth, and then its counts
 * are changed in the text that is sent, because some of the untrue forms ("120", 120.0) are forms of the text. The bill
 * keeps the true counts.
 */

export type UntrueUsage = Extract<FaultName, `usage_${string}`>;

/** Counts that no request can have caused. */
const absurdCounts = ['9007199254740993', '1e308', '5000000'] as const;

/** Every count of tokens; a limit that the answer repeats is none. */
const anyCount = /"((?!max_)[a-z0-9_]+_tokens)":(\d+)/g;
/** The counts of the two halves and their sum, in every provider's words. */
const halfCount = /"((?:prompt|completion|input|output|total)_tokens)":(\d+)/g;
/** Where a chat chunk says that its usage is still to come. */
const usageToCome = '"usage":null';

export function isUntrueUsage(fault: FaultName | undefined): fault is UntrueUsage {
  return fault?.startsWith('usage_') === true;
}

/** Whether the true counts can be read from what is told. */
export function isReadableUsage(fault: UntrueUsage): boolean {
  return fault === 'usage_text' || fault === 'usage_fraction';
}

/** The text of an answer, or of one frame of it, with untrue counts. `draw` is from 0 to 1. */
export function withUntrueUsage(text: string, fault: UntrueUsage, draw: number): string {
  switch (fault) {
    case 'usage_absurd': {
      const count = absurdCounts[Math.floor(draw * absurdCounts.length)] ?? absurdCounts[0];
      return text.replaceAll(halfCount, `"$1":${count}`);
    }
    case 'usage_zero':
      return text.replaceAll(anyCount, '"$1":0');
    case 'usage_text':
      return text.replaceAll(anyCount, '"$1":"$2"');
    case 'usage_fraction':
      return text.replaceAll(anyCount, '"$1":$2.0');
    case 'usage_negative':
      return text.replaceAll(halfCount, (_whole, name: string, count: string) => `"${name}":-${count}`);
    case 'usage_decreasing':
      return text.replaceAll(
        halfCount,
        (_whole, name: string, count: string) => `"${name}":${Math.ceil(Number(count) / 2)}`,
      );
  }
}

/**
 * The frames of a streamed answer with untrue counts. Decreasing ones are true in the first frame that has room for
 * them, and halved in the last.
 */
export function withUntrueUsageInFrames(
  frames: readonly string[],
  fault: UntrueUsage,
  draw: number,
): readonly string[] {
  if (fault !== 'usage_decreasing') return frames.map((frame) => withUntrueUsage(frame, fault, draw));
  const last = frames.findLastIndex((frame) => usageIn(frame) !== undefined);
  const told = usageIn(frames[last] ?? '');
  if (told === undefined) return frames;
  return frames.map((frame, index) => {
    if (index === 0) return withUsage(frame, told);
    return index === last ? withUntrueUsage(frame, fault, draw) : frame;
  });
}

/** The usage block of a frame as JSON text. Blocks nest, and hold no texts with braces. */
function usageIn(frame: string): string | undefined {
  const start = frame.indexOf('"usage":{');
  if (start < 0) return undefined;
  const from = start + '"usage":'.length;
  let depth = 0;
  for (let at = from; at < frame.length; at += 1) {
    if (frame[at] === '{') depth += 1;
    else if (frame[at] === '}') depth -= 1;
    if (depth === 0) return frame.slice(from, at + 1);
  }
  return undefined;
}

/** The first frame of a stream with the usage in it: a chat chunk, a response that was created, a message that begins. */
function withUsage(frame: string, usage: string): string {
  const known = usageIn(frame);
  if (known !== undefined) return frame.replace(`"usage":${known}`, () => `"usage":${usage}`);
  if (frame.includes(usageToCome)) return frame.replace(usageToCome, () => `"usage":${usage}`);
  return frame.replace('"response":{', () => `"response":{"usage":${usage},`);
}
