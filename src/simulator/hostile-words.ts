import type { Endpoint } from './endpoint.ts';
import { drawOne, type Random } from './draws.ts';
import { type Refusal, refusalBody } from './provider-errors.ts';
import { sseDone, sseFrame } from './sse.ts';
import type { TrickName } from './trick-names.ts';

/* A good answer in its provider's words, made a lie: pure functions over its JSON and over the frames of its stream. */

/** Marks what is to stand in JSON as it is, where JSON.stringify would write something else. */
const rawNumber = (text: string): string => `@@${text}@@`;

/** JSON in which marked texts are numbers. */
export function hostileJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(/"@@([^"@]*)@@"/g, '$1');
}

/** Changes the JSON of every frame that has some. */
export function changeFrames(frames: readonly string[], change: (json: unknown) => unknown): string[] {
  return frames.map((frame) => {
    const [, head = '', data = ''] = /^((?:event: .*\n)?data: )(.*)\n\n$/.exec(frame) ?? [];
    return data.startsWith('{') ? `${head}${hostileJson(change(JSON.parse(data)))}\n\n` : frame;
  });
}

/** Another value for every count of tokens in the usage blocks. */
export function changeUsage(json: unknown, count: (truth: number) => unknown): unknown {
  return changeKeys(json, (key, value) =>
    key === 'usage' && typeof value === 'object' && value !== null
      ? changeKeys(value, (name, truth) =>
          typeof truth === 'number' && name.endsWith('tokens') ? count(truth) : truth,
        )
      : value,
  );
}

/** How a trick writes counts; undefined for tricks that leave them alone. */
export function usageLie(name: TrickName, random: Random): ((truth: number) => unknown) | undefined {
  switch (name) {
    case 'usage_absurd': {
      const absurd = drawOne(random, ['9007199254740993', '1e308', '5000000000']) ?? '';
      return () => rawNumber(absurd);
    }
    case 'usage_zero':
      return () => 0;
    case 'usage_negative':
      return (truth) => -truth;
    case 'usage_text':
      return (truth) => String(truth);
    case 'usage_float':
      return (truth) => rawNumber(`${truth}.0`);
    default:
      return undefined;
  }
}

/** The frames with the last one that has usage twice, the second time with half of it. */
export function withFallingUsage(frames: readonly string[]): string[] {
  const last = frames.findLastIndex((frame) => /"usage":\{/.test(frame));
  const told = frames[last];
  if (told === undefined) return [...frames];
  const fallen = changeFrames([told], (json) => changeUsage(json, (truth) => Math.floor(truth / 2)));
  return frames.toSpliced(last + 1, 0, ...fallen);
}

/** The body of an error under status 200. */
export function errorBody({ provider, name }: Endpoint, refusal: Refusal, requestId: string): unknown {
  const body = refusalBody(provider, refusal, requestId);
  return name === 'responses'
    ? { id: requestId, object: 'response', created_at: 1, status: 'failed', output: [], ...asObject(body) }
    : body;
}

/** The same as an event of a stream. */
export function errorFrames({ provider, name }: Endpoint, refusal: Refusal, requestId: string): string[] {
  const body = asObject(refusalBody(provider, refusal, requestId));
  if (provider === 'anthropic') return [sseFrame(body, 'error')];
  if (name === 'responses') return [sseFrame({ type: 'error', sequence_number: 2, ...body }, 'error')];
  return [sseFrame(body), sseDone];
}

/** An answer that was refused or filtered, with its text. */
export function asRefused(json: unknown): unknown {
  return changeKeys(json, (key, value) => {
    if (key === 'finish_reason' && value !== null) return 'content_filter';
    if (key === 'stop_reason' && value !== null) return 'refusal';
    if (key === 'incomplete_details') return { reason: 'content_filter' };
    if (key === 'status' && value === 'completed') return 'incomplete';
    if (key === 'type' && value === 'response.completed') return 'response.incomplete';
    return value;
  });
}

/** An answer that does not say why it ended. */
export function withoutReason(json: unknown): unknown {
  return changeKeys(json, (key, value) =>
    key === 'finish_reason' || key === 'stop_reason' || key === 'status' ? null : value,
  );
}

/** An answer that shows a text in its ids, its model, its tier, its usage and its words. */
export function echoing(json: unknown, echo: string): unknown {
  return changeKeys(json, (key, value) => {
    if (key === 'usage' && typeof value === 'object' && value !== null) return { ...value, note: echo };
    if (key === 'id' || key === 'model' || key === 'service_tier') return echo;
    if ((key === 'text' || key === 'content' || key === 'delta') && typeof value === 'string' && value !== '')
      return `${value} ${echo} `;
    return value;
  });
}

/** A secret in a form in which it is echoed. */
export function drawEcho(secret: string, random: Random): string {
  const bytes = Buffer.from(secret);
  return (
    drawOne(random, [
      secret,
      bytes.toString('base64'),
      bytes.toString('base64url'),
      Buffer.from(`user:${secret}`).toString('base64'),
      Buffer.from(`a:${secret}`).toString('base64'),
      encodeURIComponent(secret),
      encodeURIComponent(secret).toLowerCase() === secret.toLowerCase() ? secret : encodeURIComponent(secret),
      bytes.toString('hex').replaceAll(/../g, '%$&'),
    ]) ?? secret
  );
}

/** A header that names a wait which nobody can want. */
export function drawAbsurdWait(random: Random, now: Date): Record<string, string> {
  const tomorrow = new Date(now.getTime() + 86_400_000).toUTCString();
  return (
    drawOne<Record<string, string>>(random, [
      { 'retry-after': '86400' },
      { 'retry-after': '99999999999' },
      { 'retry-after': tomorrow },
      { 'retry-after': 'Thu, 01 Jan 1970 00:00:00 GMT' },
      { 'retry-after': '-5' },
      { 'retry-after': 'next week' },
      { 'retry-after-ms': '86400000' },
      { 'retry-after-ms': '1e300' },
    ]) ?? {}
  );
}

function changeKeys(json: unknown, change: (key: string, value: unknown) => unknown): unknown {
  if (Array.isArray(json)) return json.map((item: unknown) => changeKeys(item, change));
  if (typeof json !== 'object' || json === null) return json;
  return Object.fromEntries(
    Object.entries(json).map(([key, value]: [string, unknown]) => {
      const changed = change(key, value);
      return [key, changed === value ? changeKeys(value, change) : changed];
    }),
  );
}

function asObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}
