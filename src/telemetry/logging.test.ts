import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError } from '../kernel/app-error.ts';
import { newId } from '../kernel/ids.ts';
import type { MessageEnvelope } from '../messages/message.ts';
import { messageFields } from './logger.ts';
import { createLogger, type LoggerOptions, type PinoLogger } from './logging.ts';

function recorded(options: Partial<LoggerOptions> = {}): {
  logger: PinoLogger;
  lines: string[];
  last: () => Record<string, unknown>;
} {
  const lines: string[] = [];
  const destination = { write: (line: string): unknown => lines.push(line) };
  const logger = createLogger({ level: 'info', destination, ...options });
  return { logger, lines, last: () => JSON.parse(lines.at(-1) ?? '') as Record<string, unknown> };
}

const now = new Date('2026-05-04T03:02:01.000Z');
const envelope: MessageEnvelope = {
  id: newId(now),
  rootId: newId(now),
  parentId: undefined,
  source: '/test',
  eventId: 'e1',
  type: 'document.fetched',
  version: 1,
  pipeline: 'documents',
  stage: 'summarise',
  owner: 'docs',
  lane: 'standard',
  origin: { team: 'search', customer: 'acme', feature: 'summary', batch: 'night-1' },
  item: 'readme',
  traceParent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  createdAt: now,
  admittedAt: now,
};

describe('a log line', () => {
  it('is one JSON object with time, level, message, the fields and those of its logger', () => {
    const { logger, lines, last } = recorded({ fields: { role: 'worker' } });
    logger.child({ stage: 'summarise' }).warn({ attempts: 2 }, 'Tried again');
    expect(lines).toHaveLength(1);
    expect(lines[0]?.endsWith('\n')).toBe(true);
    expect(last()).toMatchObject({
      level: 'warn',
      role: 'worker',
      stage: 'summarise',
      attempts: 2,
      message: 'Tried again',
    });
    expect(last()['time']).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
  });

  it('is not written under the level', () => {
    const { logger, lines } = recorded({ level: 'warn' });
    logger.info({}, 'not this');
    logger.error({}, 'this');
    expect(lines).toHaveLength(1);
  });

  it('carries origin, message, root, stage and trace of a message, and not its data', () => {
    const { logger, lines, last } = recorded();
    const message = { ...envelope, data: { text: 'a confidential letter' } };
    logger.info({ ...messageFields(message), message, data: message.data }, 'Finished');
    expect(last()).toMatchObject({
      origin: envelope.origin,
      messageId: envelope.id,
      rootId: envelope.rootId,
      stage: 'summarise',
      traceId: '0af7651916cd43dd8448eb211c80319c',
    });
    expect(lines.join('')).not.toContain('confidential');
  });

  it('shows an error with its code, advice, faults, stack and causes', () => {
    const { logger, last } = recorded();
    const cause = new Error('connect ECONNREFUSED postgres://app:hunter2@db/main');
    const faults = [{ field: 'origin.team', problem: 'missing' }];
    const error = new AppError('MILLRACE_ORIGIN_INVALID', 'Bad origin', { cause, faults });
    logger.error({ error }, 'Refused');
    expect(last()['error']).toMatchObject({
      name: 'AppError',
      code: 'MILLRACE_ORIGIN_INVALID',
      message: 'Bad origin',
      retryable: false,
      faults,
      cause: { name: 'Error', message: 'connect ECONNREFUSED postgres://app:[redacted]@db/main' },
    });
    expect(JSON.stringify(last())).not.toContain('hunter2');
  });

  it.each([
    ['a field name', { apiKey: 'hush-hush' }],
    ['a nested field name', { provider: { headers: { Authorization: 'hush-hush' } } }],
    ['a name in snake case', { client_secret: 'hush-hush', 'x-api-key': 'hush-hush' }],
    ['an array', { keys: [{ password: 'hush-hush' }] }],
    ['an address', { url: 'redis://default:hush-hush@127.0.0.1:6379/0' }],
    ['an address with a raw @', { url: 'postgres://u:hush-hush@hush-hush@db/x' }],
    ['a header text', { line: 'authorization: Bearer hush-hush' }],
    ['an API key in a text', { line: 'Incorrect API key: sk-proj-hush-hush12345' }],
    ['a key-value text', { line: 'host=db password=hush-hush' }],
    ['an error', { error: new Error('Bearer hush-hush') }],
    ['an error as a plain field', { failure: { reason: new Error('password=hush-hush') } }],
    ['raw bytes', { bytes: Buffer.from('hush-hush') }],
    ['a prompt', { prompt: 'hush-hush', messages: [{ role: 'user', content: 'hush-hush' }] }],
    ['a value that renders itself', { config: { toJSON: () => ({ token: 'hush-hush' }) } }],
  ])('holds no secret from %s, in its fields, its logger or its text', (_place, fields) => {
    const { logger, lines } = recorded();
    logger.info(fields, 'first');
    logger.child(fields).info({}, 'second');
    logger.pino.info(fields, 'third');
    expect(lines).toHaveLength(3);
    expect(lines.join('')).not.toContain('hush-hush');
  });

  it('holds no secret in its message', () => {
    const { logger, lines } = recorded();
    logger.info({}, 'connecting to postgres://u:hush-hush@db/x');
    logger.pino.info('connecting to postgres://u:hush-hush@db/x');
    logger.pino.info(new Error('connecting to postgres://u:hush-hush@db/x'));
    expect(lines).toHaveLength(3);
    expect(lines.join('')).not.toContain('hush-hush');
  });

  it('holds no secret header of a request that the request logger gives', () => {
    const { logger, lines } = recorded();
    const req = {
      url: '/v1/costs',
      headers: { authorization: 'hush-hush', 'x-api-key': 'hush-hush', host: 'h' },
    };
    logger.pino.child({ req }).info({ res: { headers: { 'set-cookie': 'hush-hush' } } }, 'answered');
    expect(lines.join('')).not.toContain('hush-hush');
    expect(lines.join('')).toContain('/v1/costs');
  });

  it('keeps counts and plain words that only look like secrets', () => {
    const { logger, last } = recorded();
    const fields = {
      tokens: 12,
      inputTokens: 3,
      messages: 4,
      secretary: 'Kim',
      url: 'http://127.0.0.1:80/a',
    };
    logger.info(fields, 'plain');
    expect(last()).toMatchObject(fields);
  });

  it('is bounded and complete JSON whatever is logged', () => {
    const { logger, lines } = recorded();
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.anything({ maxDepth: 8 })),
        fc.string(),
        (fields, message) => {
          logger.info(fields, message);
          const line = lines.at(-1) ?? '';
          expect(() => JSON.parse(line) as unknown).not.toThrow();
        },
      ),
      { numRuns: 300 },
    );
    const circular: Record<string, unknown> = { text: 'x'.repeat(1_000_000) };
    circular['self'] = circular;
    logger.info(circular, 'round');
    expect((lines.at(-1) ?? '').length).toBeLessThan(100_000);
  });

  it('reads well when it is for a person', () => {
    const { logger, lines } = recorded({ pretty: true });
    logger.info({ stage: 'fetch', error: new Error('no route') }, 'Stage failed');
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}Stage failed stage=fetch error=\{.*no route/);
    expect(lines[0]).toContain('\n    at ');
  });
});
