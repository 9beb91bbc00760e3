import { expect, it } from 'vitest';
import { newId } from '../../../kernel/ids.ts';
import { ManualClock } from '../../../kernel/manual-clock.ts';
import type { StreamedEvent } from './event-stream.ts';
import { NativeRendering } from './native-rendering.ts';
import { type NewStream, OpenStreams, type StreamEnd } from './open-streams.ts';

function open(maxStreams = 10, maxStreamsPerKey = 10) {
  const clock = new ManualClock();
  const ends: StreamEnd[] = [];
  const streams = new OpenStreams({
    clock,
    maxStreams,
    maxStreamsPerKey,
    heartbeatMs: 15_000,
    maxStallMs: 30_000,
    maxStreamMs: 3_600_000,
    onEnd: (end) => void ends.push(end),
    onError: () => undefined,
    onFirstText: () => undefined,
  });
  let made = 0;
  let returned = 0;
  /** Events without end, each of 10,000 characters. */
  async function* endless(): AsyncGenerator<StreamedEvent, void> {
    try {
      for (;;) {
        made += 1;
        yield {
          id: made,
          event: { kind: 'progress', stage: 'x'.repeat(10_000), message: 'm', run: 1, share: 0 },
        };
      }
    } finally {
      returned += 1;
    }
  }
  async function* silent(signal: AbortSignal): AsyncGenerator<StreamedEvent, void> {
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    yield* [];
  }
  const stream = (events: NewStream['events'], share?: string): NewStream => ({
    rendering: new NativeRendering(),
    share,
    acceptedAt: undefined,
    events,
    onClosed: () => undefined,
  });
  return { clock, ends, streams, stream, endless, silent, made: () => made, returned: () => returned };
}

it('hold no more for a reader than its buffer, and drop one that takes nothing', async () => {
  const { clock, ends, streams, stream, endless, made, returned } = open();
  const readable = streams.open(stream(endless));
  readable.read(0);
  await expect.poll(() => readable.readableLength).toBeGreaterThanOrEqual(readable.readableHighWaterMark);
  const held = made();
  expect(held).toBeLessThan(20);
  clock.advance(29_000);
  expect(readable.destroyed).toBe(false);
  clock.advance(1001);
  await expect.poll(() => ends).toEqual(['dropped']);
  expect([readable.destroyed, made() - held, streams.size]).toEqual([true, 0, 0]);
  await expect.poll(returned).toBe(1);
});

it('keep the connection while nothing happens, and end when the process stops', async () => {
  const { clock, ends, streams, stream, silent } = open();
  const readable = streams.open(stream(silent));
  let text = '';
  readable.on('data', (bytes: Buffer) => (text += bytes.toString()));
  await expect.poll(() => text).toBe('retry: 2000\n\n');
  await expect.poll(() => clock.sleepers).toBe(2);
  clock.advance(15_000);
  await expect.poll(() => text).toContain(': heartbeat');
  streams.stop();
  await expect.poll(() => ends).toEqual(['stopped']);
  expect(() => streams.open(stream(silent))).toThrow('Too many streams');
});

it('are as many as may be, in all and of one key, which others do not feel', async () => {
  const { ends, streams, stream, silent } = open(3, 2);
  const [key, other] = [newId(new Date()), newId(new Date())];
  const opened = [streams.open(stream(silent, key)), streams.open(stream(silent, key))];
  expect(() => streams.open(stream(silent, key))).toThrow('2 streams of this API key are open.');
  opened.push(streams.open(stream(silent, other)));
  expect(() => streams.open(stream(silent, other))).toThrow('Too many streams are open.');
  opened[0]?.destroy();
  await expect.poll(() => ends).toEqual(['left']);
  opened.push(streams.open(stream(silent, key)));
  for (const one of opened) one.destroy();
  await expect.poll(() => streams.size).toBe(0);
});
