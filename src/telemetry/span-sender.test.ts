import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { type DropReason, maxWaitingSpans, SpanSender } from './span-sender.ts';
import { SpanTracer } from './span-tracer.ts';

interface Answer {
  readonly status: number;
  readonly body?: string;
  readonly headers?: Record<string, string>;
}

/** A receiver that answers as it is told, in turn, the last answer for ever; and how many spans each request had. */
async function receiver(...answers: [Answer, ...Answer[]]) {
  const sizes: number[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const {
        status,
        body = '{}',
        headers = {},
      } = answers[Math.min(sizes.length, answers.length - 1)] ?? answers[0];
      sizes.push(Buffer.concat(chunks).toString().split('"spanId"').length - 1);
      response.writeHead(status, headers).end(body);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  servers.push(server);
  return { sizes, endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces` };
}

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

function senderTo(endpoint: string) {
  const dropped: Partial<Record<DropReason, number>> = {};
  const failures: unknown[] = [];
  const sender = new SpanSender({
    source: { serviceName: 'millrace', version: '1' },
    endpoint,
    headers: {},
    clock: systemClock,
    onDropped: (reason, count) => {
      dropped[reason] = (dropped[reason] ?? 0) + count;
    },
    onFailing: (error) => failures.push(error),
  });
  const tracer = new SpanTracer({ sampleRatio: 1, onEnd: (span) => sender.add(span) });
  const add = (count: number): void => {
    for (let index = 0; index < count; index += 1) tracer.startSpan('x').end();
  };
  return { sender, add, dropped, failures };
}

describe('SpanSender', () => {
  it('sends 512 spans at a time, and what is left when it closes', async () => {
    const { sizes, endpoint } = await receiver({ status: 200 });
    const { sender, add, dropped } = senderTo(endpoint);
    add(1100);
    await sender.close();
    expect(sizes).toEqual([512, 512, 76]);
    expect(dropped).toEqual({});
    expect(sender.waiting).toBe(0);
  });

  it('asks again when the receiver was busy, after the time that it was told', async () => {
    const busy = { status: 503, headers: { 'retry-after': '0' } };
    const { sizes, endpoint } = await receiver(busy, busy, { status: 200 });
    const { sender, add, dropped, failures } = senderTo(endpoint);
    add(3);
    await sender.close();
    expect(sizes).toEqual([3, 3, 3]);
    expect(dropped).toEqual({});
    expect(failures).toEqual([]);
  });

  it('drops and counts what is refused, says so once, and goes on', async () => {
    const refused = { status: 400, body: 'no such tenant' };
    const { sizes, endpoint } = await receiver(refused, refused, { status: 200 });
    const { sender, add, dropped, failures } = senderTo(endpoint);
    add(1024);
    await expect.poll(() => dropped.not_taken).toBe(1024);
    add(2);
    await sender.close();
    expect(sizes).toEqual([512, 512, 2]);
    expect(failures.map(String)).toEqual(['Error: the receiver of traces answered 400 no such tenant']);
  });

  it('counts spans that the receiver rejected of those that it took', async () => {
    const body = '{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}';
    const { endpoint } = await receiver({ status: 200, body });
    const { sender, add, dropped } = senderTo(endpoint);
    add(5);
    await sender.close();
    expect(dropped).toEqual({ not_taken: 2 });
  });

  it('takes any other answer with success for one, and rejects when the last export failed', async () => {
    const { endpoint } = await receiver({ status: 200, body: '{ not JSON' }, { status: 401 });
    const { sender, add, dropped } = senderTo(endpoint);
    add(512);
    await expect.poll(() => sender.waiting).toBe(0);
    add(1);
    await expect(sender.close()).rejects.toThrow('401');
    expect(dropped).toEqual({ not_taken: 1 });
  });

  it('drops what there is no room for, and what comes after its end', async () => {
    const { endpoint } = await receiver({ status: 200 });
    const { sender, add, dropped } = senderTo(endpoint);
    // The first export leaves at once; nothing is answered before this loop has ended.
    add(512 + maxWaitingSpans + 7);
    expect(dropped).toEqual({ no_room: 7 });
    await sender.close();
    add(1);
    expect(dropped).toEqual({ no_room: 8 });
  });
});
