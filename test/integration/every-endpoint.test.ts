import { readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { apiScopes } from '../../src/http/api-key-identity.ts';
import { packageRoot } from '../../src/kernel/package-root.ts';
import { type ApiOperation, readApiDocument } from '../support/api-operations.ts';
import { ApiValidator } from '../support/api-validator.ts';
import { depth } from '../support/test-depth.ts';
import { type Answer, answerFault } from './answer-faults.ts';
import { ChangedRequests, type SentRequest } from './changed-requests.ts';
import { endpointRequests } from './endpoint-requests.ts';
import { requestTo } from './request-to.ts';
import { ofAmber, openTwoTeams, type TwoTeams } from './two-teams.ts';

/*
 * Every operation of the OpenAPI document with good requests, with ones that are wrong or hostile in each place of them, and with keys that do not
 * allow it. What the document does not allow is refused, what it allows is answered as it declares, and nothing fails. Which scope opens what, and what a
 * team sees, endpoint-scopes.test.ts and team-isolation.test.ts say in full.
 */

const document = readApiDocument(
  JSON.parse(readFileSync(join(packageRoot(), 'docs/openapi.json'), 'utf8')) as unknown,
);
const validator = new ApiValidator(document);
const largestSmallBody = 65_536;
/** In place of an answer that nobody could read. */
const closed: Answer = { status: 413, headers: {}, body: Buffer.alloc(0) };
const changed = new ChangedRequests(validator);
/** Without full depth every eighth change is sent: other ones to the next operation, so that every kind of change comes up. */
const sentOf = depth({ usual: 8, full: 1 });
let changes = 0;

let two: TwoTeams;
let requests: ReturnType<typeof endpointRequests>;
let expiredKey: string;

beforeAll(async () => {
  two = await openTwoTeams();
  requests = endpointRequests(two);
  expiredKey = await two.fixture.newKey(['admin']);
  await two.fixture.database.execute(
    `update millrace.api_keys set expires_at = clock_timestamp()
       where id = (select id from millrace.api_keys order by created_at desc, id desc limit 1)`,
  );
});
afterAll(() => two.close());

async function send(
  { method }: ApiOperation,
  { url, headers, body }: SentRequest,
  key: string | undefined,
): Promise<Answer> {
  const request = requestTo(two.url)[method](url).responseType('blob');
  try {
    const answer = await request
      .set({ ...(key === undefined ? {} : { authorization: `Bearer ${key}` }), ...headers })
      .send(body);
    const bytes: unknown = answer.body;
    return {
      status: answer.statusCode,
      headers: answer.headers,
      body: Buffer.isBuffer(bytes) ? bytes : Buffer.alloc(0),
    };
  } catch (error) {
    // Who is refused in the middle of sending may find the connection closed before the answer is read.
    if (body !== undefined && body.length > largestSmallBody) return closed;
    throw error;
  }
}

const problemCode = ({ body }: Answer): unknown =>
  (JSON.parse(body.toString('utf8')) as { readonly code?: unknown }).code;

const good = async (operation: ApiOperation): Promise<readonly SentRequest[]> =>
  (await (requests[operation.id]?.() ?? [])).map((request) => ChangedRequests.good(operation, request));

it('stands in the table of good requests, every one of them, and is as the document says', () => {
  const named = document.operations.map(({ id }) => id).toSorted();
  expect(Object.keys(requests).toSorted()).toEqual(named);
  expect(two.operations.map(({ id }) => id).toSorted()).toEqual(named);
});

describe.each(document.operations.map((operation) => ({ id: operation.id, operation })))(
  '$id',
  ({ id, operation }) => {
    it('refuses good requests of those who may not make them', async () => {
      if (operation.scope === undefined) return;
      const { scope } = operation;
      const others = apiScopes.filter(
        (one) =>
          one !== 'admin' && one !== scope && !(scope === 'operations:read' && one === 'operations:write'),
      );
      const unfitKey = await two.fixture.newKey(others);
      for (const request of await good(operation)) {
        for (const key of [undefined, expiredKey, `mr_${'x'.repeat(43)}`]) {
          const answer = await send(operation, request, key);
          expect([answer.status, problemCode(answer)]).toEqual([401, 'MILLRACE_UNAUTHENTICATED']);
        }
        const unfit = await send(operation, request, unfitKey);
        expect([unfit.status, problemCode(unfit)]).toEqual([403, 'MILLRACE_FORBIDDEN']);
        const foreign = await send(operation, request, two.tealKey);
        expect(answerFault(operation, foreign, validator)).toBeUndefined();
        const isRefusal = [400, 403, 404].includes(foreign.status);
        // A refusal may repeat what it refuses, and nothing else.
        if (!isRefusal) expect(foreign.body.toString('utf8')).not.toMatch(ofAmber);
      }
    });

    it('refuses what the document does not allow, and fails for nothing', async () => {
      const found: string[] = [];
      const prepared = (await requests[id]?.()) ?? [];
      const [first] = prepared;
      const bases = prepared.filter((request) => request === first || request.mediaType !== first?.mediaType);
      for (const base of bases) {
        const { body, mediaType = 'application/json' } = base;
        if (body !== undefined)
          expect(validator.fault(operation.bodies[mediaType] ?? {}, body)).toBeUndefined();
        for (const request of changed.of(operation, base)) {
          changes += 1;
          if (changes % sentOf > 0) continue;
          const answer = await send(operation, request, two.unboundKey);
          if (answer === closed) continue;
          const wrong =
            answerFault(operation, answer, validator) ??
            // Of a batch the wrong events are refused, one by one.
            (request.isRefused && answer.status < 400 && answer.status !== 207
              ? `accepted with ${answer.status}`
              : undefined);
          if (wrong !== undefined) found.push(`${request.change}: ${wrong}`);
        }
      }
      expect(found).toEqual([]);
    });

    it('refuses odd headers, or is not moved by them', async () => {
      const [request] = await good(operation);
      if (request === undefined) throw new Error('there is a good request');
      for (const authorization of [
        'Basic eDp5',
        'Bearer',
        'Bearer null',
        "Bearer ' or 1=1; --",
        `Bearer ${'x'.repeat(8_000)}`,
        two.unboundKey,
      ]) {
        const answer = await send(
          operation,
          { ...request, headers: { ...request.headers, authorization } },
          undefined,
        );
        expect(answerFault(operation, answer, validator), authorization).toBeUndefined();
        if (operation.scope !== undefined) expect(answer.status, authorization).toBe(401);
      }
      const odd: readonly Readonly<Record<string, string>>[] = [
        { 'x-request-id': 'y'.repeat(300), traceparent: '00-0-0-0', 'if-none-match': 'W/"x", *' },
        {
          accept: ',,;q=, x/y',
          'x-http-method-override': 'DELETE',
          'x-forwarded-for': '127.0.0.1',
          'x-millrace-team': 'teal',
        },
      ];
      for (const headers of odd) {
        const answer = await send(
          operation,
          { ...request, headers: { ...request.headers, ...headers } },
          two.unboundKey,
        );
        expect(answerFault(operation, answer, validator), JSON.stringify(headers)).toBeUndefined();
      }
    });

    it('refuses what is no HTTP, or too much of it', async () => {
      const line = (path: string): string => `${operation.method.toUpperCase()} ${path} HTTP/1.1`;
      const path = operation.path.replaceAll(/\{\w+\}/g, 'x');
      const key = `authorization: Bearer ${two.unboundKey}`;
      const start = [line(path), 'host: localhost', 'connection: close', key];
      const raw = {
        'a carriage return in a header': [...start, 'x-note: a\rx-injected: 1'],
        'a NUL in a header': [...start, 'x-note: a\0b'],
        'a folded header': [...start, 'x-note: a', ' x-injected: 1'],
        'two lengths': [...start, 'content-length: 4', 'transfer-encoding: chunked'],
        'a way out of the path': [line(`${path}/../../../etc/passwd`), ...start.slice(1)],
        'a query of a megabyte': [line(`${path}?a=${'x'.repeat(1_048_576)}`), ...start.slice(1)],
      };
      for (const [what, lines] of Object.entries(raw)) {
        const text = await exchange(two.url, `${lines.join('\r\n')}\r\n\r\n`);
        // Who is refused in the middle of sending may find the connection closed before the answer is read.
        if (text === '' && what === 'a query of a megabyte') continue;
        // A folded header is one header to HTTP/1.1.
        expect(text, what).toMatch(
          what === 'a folded header' ? /^HTTP\/1\.1 [2-4]\d\d / : /^HTTP\/1\.1 4\d\d /,
        );
        if (text.startsWith('HTTP/1.1 4'))
          expect(text.toLowerCase(), what).toContain('content-type: application/problem+json');
        expect(text.toLowerCase(), what).not.toContain('\r\nx-injected');
      }
    });

    it('answers good requests as the document declares, after all that', async () => {
      for (const request of await good(operation)) {
        const answer = await send(operation, request, two.unboundKey);
        expect(answer.status, answer.body.toString('utf8').slice(0, 500)).toBeLessThan(300);
        expect(answerFault(operation, answer, validator)).toBeUndefined();
      }
    });
  },
);

it('has changed no prototype, and dropped no table', async () => {
  expect(Reflect.get({}, 'polluted')).toBeUndefined();
  expect(await two.fixture.countMessages()).toBeGreaterThan(0);
});

/** What comes back for these bytes before the connection ends. */
function exchange(url: string, text: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    const socket = createConnection({ host: hostname, port: Number(port) });
    socket.on('data', (part) => parts.push(part));
    // A reset: what has come by then is what there is.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      resolve(Buffer.concat(parts).toString('latin1'));
    });
    socket.end(text, 'latin1');
  });
}
