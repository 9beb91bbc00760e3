import { gzipSync } from 'node:zlib';
import { drawOne } from './draws.ts';
import type { Answer, Endpoint } from './endpoint.ts';
import {
  asRefused,
  changeFrames,
  changeUsage,
  drawAbsurdWait,
  drawEcho,
  echoing,
  errorBody,
  errorFrames,
  hostileJson,
  usageLie,
  withFallingUsage,
  withoutReason,
} from './hostile-words.ts';
import type { Reply } from './reply.ts';
import { sseFrame } from './sse.ts';
import type { Trick } from './tricks.ts';

/* How each trick goes over the wire. Floods end when the client leaves, or at a bound that no client should wait for. */

/** What a trick is played with. */
export interface Stage {
  readonly endpoint: Endpoint;
  readonly reply: Reply;
  readonly answer: Answer;
  readonly trick: Trick;
  /** What the client said who it is. */
  readonly apiKey: string;
  /** Where redirects lead. */
  readonly decoyUrl: string;
  readonly floodBytes: number;
}

const json = 'application/json';
const events = 'text/event-stream; charset=utf-8';
const redirects = [301, 302, 307, 308] as const;
const dripPauseMs = 20;
const dripBytes = 10_000;
const floodPiece = 'x'.repeat(65_536);
const floodedHeaders = 3000;

/** Answers the request by the trick. Resolves when nothing more is sent. */
export async function playTrick(stage: Stage): Promise<void> {
  const { endpoint, reply, answer, trick, apiKey, decoyUrl } = stage;
  const { random, refusal } = trick;
  switch (trick.name) {
    case 'redirect': {
      const status = drawOne(random, redirects) ?? 307;
      reply.addHeaders({ location: `${decoyUrl}${endpoint.path}` });
      reply.send(status, json, hostileJson(endpoint.body(answer)));
      return;
    }
    case 'flood_body':
      reply.begin(200, json);
      await reply.write('{"choices":[{"message":{"content":"');
      await flood(stage, () => floodPiece);
      return;
    case 'flood_events': {
      reply.begin(200, events);
      const frames = endpoint.frames(answer);
      // Words of the answer again and again, or what is no part of it at all.
      const piece = drawOne(random, [frames[Math.floor(frames.length / 2)] ?? '', ': ping\n\n']) ?? '';
      await reply.write(frames.slice(0, Math.floor(frames.length / 2)).join(''));
      const many = piece.repeat(Math.max(1, Math.floor(8192 / piece.length)));
      await flood(stage, () => many);
      return;
    }
    case 'flood_line':
      reply.begin(200, events);
      await reply.write('data: {"id":"');
      await flood(stage, () => floodPiece);
      return;
    case 'flood_headers':
      for (let n = 0; n < floodedHeaders; n += 1) reply.addHeaders({ [`x-flood-${n}`]: 'x'.repeat(40) });
      await sendAsAsked(stage, (value) => value);
      return;
    case 'drip':
      reply.begin(200, answer.request.stream ? events : json);
      await drip(stage);
      return;
    case 'stall':
      reply.begin(200, answer.request.stream ? events : json);
      await reply.write(answer.request.stream ? (endpoint.frames(answer)[0] ?? '') : '{"id":"');
      await reply.gone();
      return;
    case 'gzip_bomb':
      reply.addHeaders({ 'content-encoding': 'gzip' });
      reply.begin(200, answer.request.stream ? events : json);
      await reply.write(answer.request.stream ? bombs.events() : bombs.body());
      reply.end();
      return;
    case 'usage_falling':
      await sendFrames(stage, withFallingUsage(endpoint.frames(answer)));
      return;
    case 'error_as_answer':
      if (refusal !== undefined)
        reply.send(200, json, hostileJson(errorBody(endpoint, refusal, reply.requestId)));
      return;
    case 'error_before_text':
    case 'error_in_text': {
      const frames = endpoint.frames(answer);
      const before = trick.name === 'error_in_text' ? Math.ceil(frames.length / 2) : 0;
      const failed = refusal === undefined ? [] : errorFrames(endpoint, refusal, reply.requestId);
      await sendFrames(stage, [...frames.slice(0, before), ...failed]);
      return;
    }
    case 'echo_in_error': {
      if (refusal === undefined) return;
      const echo = drawEcho(apiKey, random);
      reply.addHeaders(echoHeaders(echo));
      reply.refuse({ ...refusal, message: `${refusal.message} You sent ${echo}.` });
      return;
    }
    case 'echo_in_headers':
      reply.addHeaders(echoHeaders(drawEcho(apiKey, random)));
      await sendAsAsked(stage, (value) => value);
      return;
    case 'echo_in_answer': {
      const echo = drawEcho(apiKey, random);
      await sendAsAsked(stage, (value) => echoing(value, echo));
      return;
    }
    case 'truncated':
      if (answer.request.stream) {
        const frames = endpoint.frames(answer);
        await reply.stream(
          frames.slice(0, Math.ceil(frames.length / 2)),
          { firstFrameMs: 0, restMs: 0 },
          true,
        );
      } else await reply.cutJson(hostileJson(endpoint.body(answer)));
      return;
    case 'wrong_type':
      sendWrongType(stage);
      return;
    case 'refusal_with_text':
      await sendAsAsked(stage, asRefused);
      return;
    case 'no_finish_reason':
      await sendAsAsked(stage, withoutReason);
      return;
    case 'absurd_wait':
      if (refusal === undefined) return;
      reply.addHeaders(drawAbsurdWait(random, answer.at));
      reply.refuse({ ...refusal, retryAfterMs: undefined });
      return;
    case 'usage_absurd':
    case 'usage_zero':
    case 'usage_negative':
    case 'usage_text':
    case 'usage_float': {
      const lie = usageLie(trick.name, random);
      await sendAsAsked(stage, (value) => (lie === undefined ? value : changeUsage(value, lie)));
      return;
    }
  }
}

/** The answer, whole or streamed as it was asked for, with its JSON changed. */
async function sendAsAsked(stage: Stage, change: (value: unknown) => unknown): Promise<void> {
  const { endpoint, reply, answer } = stage;
  if (answer.request.stream) await sendFrames(stage, changeFrames(endpoint.frames(answer), change));
  else reply.send(200, json, hostileJson(change(endpoint.body(answer))));
}

async function sendFrames({ reply }: Stage, frames: readonly string[]): Promise<void> {
  await reply.stream(frames, { firstFrameMs: 0, restMs: 0 }, false);
}

async function flood({ reply, floodBytes }: Stage, piece: () => string): Promise<void> {
  for (let sent = 0; sent < floodBytes && !reply.isGone;) {
    const text = piece();
    sent += text.length;
    await reply.write(text);
  }
  reply.cut();
}

async function drip({ reply }: Stage): Promise<void> {
  for (let sent = 0; sent < dripBytes; sent += 1) {
    if (!(await reply.wait(dripPauseMs))) return;
    await reply.write(' ');
  }
  reply.cut();
}

function sendWrongType({ endpoint, reply, answer, trick }: Stage): void {
  const whole = hostileJson(endpoint.body(answer));
  const page = '<!doctype html><title>Please sign in</title><p>Your session has ended.</p>';
  const [type, text] = drawOne(trick.random, [
    ['text/html', page],
    ['text/html', whole],
    [json, page],
    ['application/octet-stream', whole],
    [events, whole],
    [json, sseFrame(endpoint.body(answer))],
  ] as const) ?? [json, page];
  reply.send(200, type, text);
}

function echoHeaders(echo: string): Record<string, string> {
  return {
    'x-request-id': echo,
    'request-id': echo,
    'x-ratelimit-reset-requests': echo,
    'openai-organization': echo,
    server: echo,
  };
}

const bombBytes = 64 * 1024 * 1024;
const bomb = (head: string): (() => Buffer) => {
  let packed: Buffer | undefined;
  return () => (packed ??= gzipSync(Buffer.concat([Buffer.from(head), Buffer.alloc(bombBytes, ' ')])));
};
/** Some 64 KB that become 64 MB; made when the first is thrown. */
const bombs = { body: bomb('{"id":'), events: bomb(': ping\n\ndata: ') };
