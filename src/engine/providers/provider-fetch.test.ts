import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import { answerFaultOf } from './answer-fault.ts';
import { classifyModelError } from './classify-model-error.ts';
import { defaultAnswerBounds, maxRefusalBytes, providerFetch } from './provider-fetch.ts';

const servers: Server[] = [];

afterEach(async () => {
  await Promise.all(
    servers.splice(0).map((server) => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    }),
  );
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function faultOf(url: string, bounds = {}): Promise<string | undefined> {
  const error = await providerFetch(
    { ...defaultAnswerBounds, ...bounds },
    systemClock,
  )(url)
    .then((response) => response.text())
    .then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
  return answerFaultOf(error)?.kind;
}

describe('a redirect', () => {
  it.each([301, 302, 303, 307, 308])(
    'of status %i is not followed: its target sees nothing',
    async (status) => {
      let seen = 0;
      const target = await serve((_request, response) => {
        seen += 1;
        response.end('{}');
      });
      const url = await serve((_request, response) => {
        response.writeHead(status, { location: target }).end();
      });
      const asked = providerFetch(defaultAnswerBounds, systemClock)(url, {
        method: 'POST',
        headers: { 'x-api-key': 'secret' },
        body: '{}',
      });
      const error: unknown = await asked.catch((thrown: unknown) => thrown);
      expect(classifyModelError(error, new Date())).toMatchObject({ kind: 'redirected', billing: 'free' });
      expect(seen).toBe(0);
    },
  );
});

describe('an answer', () => {
  it('within the bounds comes whole, with its status and headers', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(201, { 'x-request-id': 'r1' }).end('{"a":1}');
    });
    const response = await providerFetch(defaultAnswerBounds, systemClock)(url);
    expect([response.status, response.headers.get('x-request-id')]).toEqual([201, 'r1']);
    expect(await response.json()).toEqual({ a: 1 });
  });

  it('is counted decompressed', async () => {
    const bomb = gzipSync(Buffer.alloc(4_000_000));
    const url = await serve((_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb);
    });
    expect(bomb.byteLength).toBeLessThan(10_000);
    expect(await faultOf(url, { maxAnswerBytes: 1_000_000 })).toBe('answer_too_large');
  });

  it('that never ends is cut off', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const more = (): void => {
        while (!response.destroyed && response.write('data: {}\n\n'.repeat(1000)));
      };
      response.on('drain', more);
      more();
    });
    expect(await faultOf(url, { maxAnswerBytes: 1_000_000 })).toBe('answer_too_large');
  });

  it('whose one line never ends is cut off before the answer is too large', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const piece = 'x'.repeat(1_000_000);
      const more = (): void => {
        while (!response.destroyed && response.write(piece));
      };
      response.on('drain', more);
      more();
    });
    await expect(
      providerFetch(defaultAnswerBounds, systemClock)(url).then((response) => response.text()),
    ).rejects.toThrow(/a line of the stream/);
  });

  it('that falls silent is cut off', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200).write('{');
    });
    expect(await faultOf(url, { idleTimeoutMs: 30 })).toBe('stalled');
  });

  it('with endless headers is refused', async () => {
    const url = await serve((_request, response) => {
      response.setHeader('x-flood', 'x'.repeat(200_000));
      response.end('{}');
    });
    await expect(providerFetch(defaultAnswerBounds, systemClock)(url)).rejects.toThrow('fetch failed');
  });

  it('that refuses is read only as far as a refusal can reasonably go', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(429).end('x'.repeat(maxRefusalBytes * 3));
    });
    const response = await providerFetch(defaultAnswerBounds, systemClock)(url);
    expect(response.status).toBe(429);
    expect((await response.text()).length).toBeLessThanOrEqual(maxRefusalBytes);
  });
});
