import type { IncomingHttpHeaders } from 'node:http';
import { generateText, streamText } from 'ai';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { frameOf } from '../../src/engine/providers/event-stream-frames.ts';
import type { ProviderConfig } from '../../src/engine/providers/provider-config.ts';
import type { CallGroup } from '../../src/engine/calls/call-group.ts';
import { ProviderRegistry } from '../../src/engine/providers/provider-registry.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { formatUsd } from '../../src/kernel/money.ts';
import { AnsweringProvider } from './answering-provider.ts';
import { type CallRow, type ModelsHarness, openMeteredModels } from './models-harness.ts';
import { sumOfProducts } from './price-case.ts';

/** An answer as a provider sends it. */
export interface NativeAnswer {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** One provider in its own words: what is asked of its package, what comes back, and what is known of the call then. */
export interface NativeCase {
  readonly title: string;
  /** Its configured name. */
  readonly name: string;
  readonly config: (url: string) => ProviderConfig;
  readonly model: string;
  readonly whole: NativeAnswer;
  readonly stream: NativeAnswer;
  /** The paths that are asked, each with what its query must be. */
  readonly paths: readonly [whole: string, stream: string];
  /** What proves that the configured account was used. */
  readonly signedWith: (headers: IncomingHttpHeaders) => unknown;
  readonly tokens: Readonly<Record<string, number>>;
  /** US dollars a million times each count, as products and their sum; by the time of the call, where the price has hours of the day. */
  readonly arithmetic: string | ((at: Date) => string);
  /** As the row has it, where it is not "default". */
  readonly tier?: string;
  readonly answered: string | null;
  readonly requestId: string;
  readonly settlement?: string;
}

/** The providers in real SDK packages against a server on loopback, over a ledger of their own. What they sign is signed at this time. */
const nativeTime = new Date('2026-11-01T12:00:00Z');

export interface NativeRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

/** What the tests of a file share. */
export interface NativeProviders {
  readonly url: string;
  readonly models: ModelsHarness;
  readonly requests: readonly NativeRequest[];
  /** How the provider answers from now on. */
  answerWith(answer: NativeAnswer, status?: number): void;
  /** A scope for a new message, whose one provider is the given one. */
  open(name: string, config: ProviderConfig): Promise<CallGroup>;
}

/** Opens it before the tests, and closes it after them. */
export function nativeProviders(): NativeProviders {
  let models: ModelsHarness;
  let provider: AnsweringProvider;
  const requests: NativeRequest[] = [];
  beforeAll(async () => {
    models = await openMeteredModels();
    provider = await AnsweringProvider.start();
  });
  beforeEach(async () => {
    requests.length = 0;
    await models.clear();
  });
  afterAll(async () => {
    await provider.stop();
    await models.close();
  });
  return {
    get url() {
      return provider.url;
    },
    get models() {
      return models;
    },
    requests,
    answerWith({ headers = {}, body }: NativeAnswer, status = 200): void {
      provider.answer = (request, response) => {
        requests.push({ path: request.url ?? '', headers: request.headers });
        response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
      };
    },
    async open(name: string, config: ProviderConfig) {
      const clock = { ...systemClock, now: () => nativeTime };
      const registry = await ProviderRegistry.open({ [name]: config }, clock);
      return models.openScope(models.metered({}, { registry, clock }), await models.leasedMessage());
    },
  };
}

/** Registers a test of a whole answer and one of a streamed one. */
export function testNativeProvider(native: NativeProviders, wanted: NativeCase): void {
  const { name, config, model, whole, stream, paths, signedWith } = wanted;
  const check = (row: CallRow | undefined, path: string): void => {
    expect(row).toMatchObject({
      state: 'settled',
      outcome: 'ok',
      settlement: wanted.settlement ?? 'reported',
      provider: name,
      model,
      answered_model: wanted.answered,
      provider_request_id: wanted.requestId,
      tier: wanted.tier ?? 'default',
      is_suspect: false,
    });
    expect(JSON.parse(row?.tokens ?? '')).toEqual(wanted.tokens);
    const { arithmetic } = wanted;
    const products =
      typeof arithmetic === 'string' ? arithmetic : arithmetic(new Date(row?.reserved_at ?? 0));
    expect(row?.cost_usd).toBe(formatUsd(sumOfProducts(products).div(1_000_000)));
    expect(row?.raw_usage).not.toBeNull();
    const [request, ...others] = native.requests;
    expect(others).toEqual([]);
    expect(request?.path).toBe(path);
    expect(signedWith(request?.headers ?? {})).toBe(true);
  };
  it(`${wanted.title}: a whole answer`, async () => {
    native.answerWith(whole);
    const scope = await native.open(name, config(native.url));
    const { text } = await generateText({
      model: scope.languageModel(`${name}/${model}`),
      prompt: 'How many?',
      maxOutputTokens: 4000,
    });
    expect(text).toBe('Four.');
    await scope.close();
    check((await native.models.callRows())[0], paths[0]);
  });
  it(`${wanted.title}: a streamed answer`, async () => {
    native.answerWith(stream);
    const scope = await native.open(name, config(native.url));
    const { text } = streamText({
      model: scope.languageModel(`${name}/${model}`),
      prompt: 'How many?',
      maxOutputTokens: 4000,
    });
    expect(await text).toBe('Four.');
    await scope.close();
    check((await native.models.callRows())[0], paths[1]);
  });
}

/** An event stream. */
export function eventStream(
  events: readonly Readonly<Record<string, unknown>>[],
  headers: Readonly<Record<string, string>> = {},
  isDone = true,
): NativeAnswer {
  const lines = events.map((event) => {
    const type = event['type'];
    const head = typeof type === 'string' ? `event: ${type}\n` : '';
    return `${head}data: ${JSON.stringify(event)}\n\n`;
  });
  return {
    headers: { 'content-type': 'text/event-stream', ...headers },
    body: `${lines.join('')}${isDone ? 'data: [DONE]\n\n' : ''}`,
  };
}

/** A binary event stream of AWS. */
export function frameStream(
  events: readonly (readonly [type: string, payload: Readonly<Record<string, unknown>>])[],
  headers: Readonly<Record<string, string>> = {},
): NativeAnswer {
  const frames = events.map(([type, payload]) =>
    frameOf(
      frameHeaders({ ':event-type': type, ':content-type': 'application/json', ':message-type': 'event' }),
      Buffer.from(JSON.stringify(payload)),
    ),
  );
  return {
    headers: { 'content-type': 'application/vnd.amazon.eventstream', ...headers },
    body: Buffer.concat(frames),
  };
}

const stringType = 7;

function frameHeaders(headers: Readonly<Record<string, string>>): Buffer {
  return Buffer.concat(
    Object.entries(headers).map(([name, value]) => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(Buffer.byteLength(value));
      return Buffer.concat([
        Buffer.from([Buffer.byteLength(name)]),
        Buffer.from(name),
        Buffer.from([stringType]),
        length,
        Buffer.from(value),
      ]);
    }),
  );
}
