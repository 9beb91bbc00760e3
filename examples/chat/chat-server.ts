import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { type MillraceClient, MillraceClientError } from '../../src/client.ts';

/*
 * The server of the page. It holds the API key, which a page must not have, and says whose the work is:
 *
 *   POST /chat               asks, and answers with the stream          GET  /          the page
 *   GET  /chat/{id}/stream   the same stream again, after a reload      GET  /page.js   its program
 *   POST /chat/{id}/stop     cancels the request: leaving the page does not
 */

export interface ChatServerOptions {
  readonly millrace: MillraceClient;
  /** Who pays. A real server takes the customer from its session. */
  readonly origin: { readonly team: string; readonly customer: string; readonly feature: string };
  readonly html: string;
  readonly script: string;
}

/** What `useChat` sends, as far as it is used here. */
const asked = z.object({
  id: z.string().min(1).max(100),
  trigger: z.string(),
  messages: z
    .array(
      z.object({
        id: z.string().max(100),
        role: z.enum(['user', 'assistant']),
        parts: z.array(z.looseObject({ type: z.string(), text: z.string().optional() })),
      }),
    )
    .min(1),
});

const maxBodyBytes = 1_000_000;
const maxChats = 1000;

export function createChatServer({ millrace, origin, html, script }: ChatServerOptions): Server {
  /** The latest request of each chat. A real server keeps it in its database. */
  const latest = new Map<string, string>();

  async function ask(request: IncomingMessage, signal: AbortSignal): Promise<Response> {
    const { id, trigger, messages } = asked.parse(JSON.parse(await bodyOf(request)));
    const turns = messages.map(({ role, parts }) => ({
      role,
      text: parts.map((part) => (part.type === 'text' ? (part.text ?? '') : '')).join(''),
    }));
    const question = messages.at(-1)?.id ?? '';
    const { id: requestId } = await millrace.submit(
      'chat',
      { turns: turns.filter(({ text }) => text !== '') },
      // A browser that sends the same question again gets the same answer, which is paid once.
      { origin, signal, ...(trigger === 'submit-message' ? { idempotencyKey: `${id}/${question}` } : {}) },
    );
    latest.delete(id);
    latest.set(id, requestId);
    for (const [oldest] of latest) if (latest.size > maxChats) latest.delete(oldest);
    return await millrace.uiMessageStream(requestId, { signal });
  }

  async function answerTo(request: IncomingMessage, signal: AbortSignal): Promise<Response> {
    const route = `${request.method} ${request.url}`;
    if (route === 'GET /')
      return new Response(html, { headers: { 'content-type': 'text/html; charset=utf-8' } });
    if (route === 'GET /page.js')
      return new Response(script, { headers: { 'content-type': 'text/javascript' } });
    if (route === 'POST /chat') return await ask(request, signal);
    const [, method, id = '', what] = /^(GET|POST) \/chat\/([^/]+)\/(stream|stop)$/.exec(route) ?? [];
    const requestId = latest.get(decodeURIComponent(id));
    if (method === 'GET' && what === 'stream') {
      if (requestId === undefined) return new Response(null, { status: 204 });
      return await millrace.uiMessageStream(requestId, { whenEnded: 'none', signal });
    }
    if (method === 'POST' && what === 'stop' && requestId !== undefined) {
      await millrace.cancel(requestId, { signal });
      return new Response(null, { status: 204 });
    }
    return new Response('There is nothing here.', { status: 404 });
  }

  return createServer((request, response) => {
    const left = new AbortController();
    response.on('close', () => left.abort());
    answerTo(request, left.signal)
      .catch((error: unknown) => failure(error))
      .then((answer) => send(answer, response))
      // The browser has left in the middle: there is nobody to tell.
      .catch(() => response.destroy());
  });
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > maxBodyBytes) throw new RangeError('That is too much.');
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

function failure(error: unknown): Response {
  if (error instanceof MillraceClientError)
    return new Response(error.message, { status: error.status ?? 502 });
  const isBad =
    error instanceof z.ZodError ||
    error instanceof SyntaxError ||
    error instanceof RangeError ||
    error instanceof URIError;
  return new Response(isBad ? 'That is no question.' : 'Something went wrong.', {
    status: isBad ? 400 : 500,
  });
}

async function send(answer: Response, response: ServerResponse): Promise<void> {
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  // Before the first event, so that the page knows that its question arrived.
  response.flushHeaders();
  if (answer.body === null) response.end();
  else await pipeline(Readable.fromWeb(answer.body), response);
}
