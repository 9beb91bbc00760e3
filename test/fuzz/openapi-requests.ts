import type { SeededRandom } from '../chaos/seeded-random.ts';

/* Requests that follow from an OpenAPI document and a seed: good, odd and hostile values in every place of one. */

export interface FuzzRequest {
  readonly method: string;
  /** Path and query string. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema?: Schema }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
}

export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

export const hostileTexts = [
  '',
  ' ',
  '\u0000',
  'a\u0000b',
  'caf\ud83d',
  '\u202egpj.exe',
  '\u2028',
  '\ufeff',
  "'; drop table millrace.messages; --",
  '{{7*7}}',
  '../../../../etc/passwd',
  '%00',
  '%zz',
  '%',
  '0x10',
  '1e2',
  ' 5 ',
  '-1',
  '9007199254740993',
  '1e308',
  'NaN',
  'null',
  '__proto__',
  'constructor',
  '0000-01-01',
  '0000-00-00T00:00:00Z',
  '9999-12-31T23:59:59.999999999Z',
  '2026-02-30',
  '-000001-01-01',
  'x'.repeat(600),
  '🦀'.repeat(200),
  'é'.repeat(513),
] as const satisfies readonly [string, ...string[]];

const hostileValues = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  9_007_199_254_740_992,
  [],
  {},
  [[[[[]]]]],
  { length: 3 },
  { constructor: { name: 1 } },
] as const;

const goodTexts = [
  'support',
  'acme',
  'triage',
  '2026-03-01',
  '2026-03-01T12:00:00Z',
  '1',
  '00000000-0000-7000-8000-000000000000',
] as const satisfies readonly [string, ...string[]];

export const hostileBodies = [
  '',
  '{',
  '[',
  'null',
  '"text"',
  '1e999',
  '{"__proto__":{"polluted":true}}',
  '{"a":1,"a":2}',
  `${'['.repeat(10_000)}${']'.repeat(10_000)}`,
  `[${'[],'.repeat(50_000)}[]]`,
  `{"${'k'.repeat(100_000)}":1}`,
  '\ufeff{}',
  '[1,2,3]',
] as const satisfies readonly [string, ...string[]];

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
const contentTypes = [
  'application/json',
  'application/cloudevents+json',
  'application/cloudevents-batch+json; charset=utf-8',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'nonsense',
] as const;
const accepts = ['*/*', 'text/csv', 'application/json;q=0', 'x/y', ',,;q=', 'text/*;q=abc'] as const;

export class OpenApiRequests {
  readonly #document: OpenApi;
  readonly #operations: readonly [FuzzTarget, ...FuzzTarget[]];
  readonly #keys: readonly [string, ...string[]];

  constructor(document: OpenApi, keys: readonly [string, ...string[]]) {
    this.#document = document;
    this.#keys = keys;
    const [first, ...others] = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
    );
    if (first === undefined) throw new Error('the document has no operation');
    this.#operations = [first, ...others];
  }

  /** The next request of a generator. */
  next(random: SeededRandom): FuzzRequest {
    const target = random.pick(this.#operations);
    const isOtherMethod = random.next() < 0.05;
    const method = isOtherMethod ? random.pick(methods) : target.method;
    const body = this.#body(random, target.operation);
    return {
      method,
      url: `${this.#path(random, target)}${this.#query(random, target)}`,
      headers: { ...this.#headers(random), ...(body === undefined ? {} : { 'content-type': body.type }) },
      // HTTP clients send none with these.
      body: method === 'GET' || method === 'HEAD' ? undefined : body?.text,
    };
  }

  #path(random: SeededRandom, { path }: FuzzTarget): string {
    return path.replaceAll(/\{\w+\}/g, () => encoded(random, this.#text(random)) || 'x');
  }

  #query(random: SeededRandom, { operation }: FuzzTarget): string {
    const parts = (operation.parameters ?? [])
      .filter((parameter) => parameter.in === 'query' && random.next() < 0.3)
      .flatMap(({ name, schema }) => {
        const times = random.next() < 0.1 ? random.whole(2, 250) : 1;
        return Array.from(
          { length: times },
          () => `${name}=${encoded(random, this.#parameter(random, schema))}`,
        );
      });
    if (random.next() < 0.05) parts.push(`${encoded(random, this.#text(random))}=1`);
    return parts.length === 0 ? '' : `?${parts.join('&')}`;
  }

  #parameter(random: SeededRandom, schema: Schema | undefined): string {
    const choices = schema?.enum ?? schema?.items?.enum;
    if (choices !== undefined && random.next() < 0.6)
      return String(choices[random.whole(0, choices.length - 1)]);
    if (schema?.type === 'integer' && random.next() < 0.5) return String(random.whole(1, 300));
    return this.#text(random);
  }

  #headers(random: SeededRandom): Record<string, string> {
    const headers: Record<string, string> = {};
    if (random.next() < 0.9) headers['authorization'] = `Bearer ${random.pick(this.#keys)}`;
    else if (random.next() < 0.5)
      headers['authorization'] = random.pick(['Bearer', 'Basic eDp5', 'Bearer mr_x', 'x']);
    if (random.next() < 0.3) headers['accept'] = random.pick(accepts);
    if (random.next() < 0.05) headers['content-encoding'] = random.pick(['gzip', 'br', 'identity', 'x']);
    if (random.next() < 0.1) headers['x-request-id'] = 'y'.repeat(random.whole(0, 300));
    if (random.next() < 0.05) headers['traceparent'] = random.pick(['00-0-0-0', 'x', '-'.repeat(500)]);
    return headers;
  }

  #body(
    random: SeededRandom,
    { requestBody }: Operation,
  ): { readonly type: string; readonly text: string } | undefined {
    const [first, ...others] = Object.entries(requestBody?.content ?? {});
    if (first === undefined && random.next() < 0.9) return undefined;
    if (first === undefined || random.next() < 0.15) {
      return { type: random.pick(contentTypes), text: random.pick(hostileBodies) };
    }
    const [type, { schema }] = random.pick([first, ...others]);
    const value = this.#value(random, schema, 0);
    return {
      type: random.next() < 0.05 ? random.pick(contentTypes) : type,
      text: JSON.stringify(value) ?? '',
    };
  }

  #value(random: SeededRandom, schema: Schema, depth: number): unknown {
    if (random.next() < 0.06 || depth > 6) return random.pick(hostileValues);
    const resolved = this.#resolve(schema);
    if (resolved.enum !== undefined && random.next() < 0.9) {
      return resolved.enum[random.whole(0, resolved.enum.length - 1)];
    }
    const [choice, ...otherChoices] = resolved.anyOf ?? resolved.oneOf ?? [];
    if (choice !== undefined) return this.#value(random, random.pick([choice, ...otherChoices]), depth + 1);
    switch (resolved.type) {
      case 'object':
        return this.#object(random, resolved, depth);
      case 'array':
        return Array.from({ length: random.whole(0, 5) }, () =>
          this.#value(random, resolved.items ?? {}, depth + 1),
        );
      case 'integer':
      case 'number':
        return random.whole(0, 100);
      case 'boolean':
        return random.next() < 0.5;
      default:
        return this.#text(random);
    }
  }

  #object(random: SeededRandom, { properties = {}, required = [] }: Schema, depth: number): unknown {
    const entries = Object.entries(properties)
      .filter(([name]) => random.next() < (required.includes(name) ? 0.98 : 0.4))
      .map(([name, schema]) => [name, this.#value(random, schema, depth + 1)]);
    if (random.next() < 0.05) entries.push([this.#text(random), random.pick(hostileValues)]);
    return Object.fromEntries(entries);
  }

  #resolve(schema: Schema): Schema {
    const name = schema.$ref?.split('/').at(-1);
    return (name === undefined ? undefined : this.#document.components.schemas[name]) ?? schema;
  }

  #text(random: SeededRandom): string {
    if (random.next() < 0.5) return random.pick(goodTexts);
    if (random.next() < 0.8) return random.pick(hostileTexts);
    return Array.from({ length: random.whole(1, 40) }, () =>
      String.fromCharCode(random.whole(1, 65_535)),
    ).join('');
  }
}

interface FuzzTarget {
  readonly path: string;
  readonly method: string;
  readonly operation: Operation;
}

/** For a URL: mostly as it should be encoded, at times as it should not. */
function encoded(random: SeededRandom, text: string): string {
  if (random.next() < 0.1) return text.replaceAll(/[^\w%.~-]/g, '');
  return encodeURIComponent(text.toWellFormed());
}

/** Why an answer is not one that the document declares; undefined when it is. */
export function answerFault(answer: {
  readonly status: number;
  readonly contentType: string;
  readonly retryAfter: string | undefined;
  readonly url: string;
}): string | undefined {
  const { status, contentType, retryAfter, url } = answer;
  if (status < 500) {
    const isProblem = contentType.startsWith('application/problem+json');
    return status >= 400 && !isProblem && contentType !== '' ? `${status} as ${contentType}` : undefined;
  }
  if (url.startsWith('/health/ready')) return undefined;
  const isDeclared =
    status === 503 && retryAfter !== undefined && contentType.startsWith('application/problem+json');
  return isDeclared ? undefined : `${status}`;
}
