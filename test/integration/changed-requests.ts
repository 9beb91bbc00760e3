import { hostileBodies, hostileTexts } from '../fuzz/openapi-requests.ts';
import type { ApiOperation, ApiParameter, ApiSchema } from '../support/api-operations.ts';
import type { ApiValidator } from '../support/api-validator.ts';
import type { GoodRequest } from './good-request.ts';

/** A request as it is sent. */
export interface SentRequest {
  /** What was changed in a good one. */
  readonly change: string;
  /** Path and query string, encoded. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Whether the document does not allow it: it must be refused then. */
  readonly isRefused: boolean;
}

/** Values of which no schema of a member with another kind takes all. */
const otherKinds: Readonly<Record<string, readonly unknown[]>> = {
  string: [null, 1e308, {}],
  number: ['5', null, -1, 1.5, 1e308, 9_007_199_254_740_992],
  boolean: ['true', null],
  // One value stands for a list of it in filters: a text is not among these.
  array: [7, {}, [null], Array.from({ length: 1_001 }, () => 'x')],
  object: ['x', [], { constructor: { prototype: { polluted: true } } }],
};
/** Encoded, as they stand in a path. */
const hostilePaths = [
  '%00',
  '..%2f..%2f..%2fetc%2fpasswd',
  '%zz',
  '%c0%ae%c0%ae%2f',
  '%ed%a0%80',
  '%0d%0ax-injected:%201',
  '__proto__',
  "';%20drop%20table%20messages;%20--",
  'x'.repeat(600),
];
const oddNumbers = ['0', '-1', '1.5', '1e308', '99999999999999999999', 'NaN', '', '%2B5'];
const oddCursors = [
  `${'9'.repeat(17)}~ffffffff-ffff-ffff-ffff-ffffffffffff`,
  `${'9'.repeat(18)}~ffffffff-ffff-ffff-ffff-ffffffffffff`,
  `${'9'.repeat(400)}~ffffffff-ffff-ffff-ffff-ffffffffffff`,
  '-1~ffffffff-ffff-ffff-ffff-ffffffffffff',
];
/** What every text is tried with: U+0000, half of a surrogate pair, the end of a header. */
const everywhere = ['\u0000', '\ud83d', '\r\nx-injected: 1'];
const injection = encodeURIComponent('x\r\nx-injected: 1');
const otherMediaTypes = [
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'nonsense',
];
/** Below the most that a request line may have. */
const longText = 'x'.repeat(8_000);
const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/**
 * Requests that differ from good ones in one place: parameters, members, the body as a whole, its media type. Every hostile text comes up
 * somewhere: each place is given the next one.
 */
export class ChangedRequests {
  readonly #validator: ApiValidator;
  #texts = 0;

  constructor(validator: ApiValidator) {
    this.#validator = validator;
  }

  /** The good request itself. */
  static good(operation: ApiOperation, request: GoodRequest): SentRequest {
    return sent(operation, request, { change: 'nothing' });
  }

  *of(operation: ApiOperation, request: GoodRequest): Generator<SentRequest> {
    for (const parameter of operation.parameters) {
      if (parameter.in === 'path') yield* this.#path(operation, request, parameter);
      else if (parameter.in === 'header') yield* header(operation, request, parameter);
      else yield* this.#query(operation, request, parameter);
    }
    // Where nothing is asked by query string, what stands there is not read.
    const isRead = operation.parameters.some((parameter) => parameter.in === 'query');
    for (const name of ['unknown', '__proto__', 'constructor', 'team%5B%5D', 'from%5B$gt%5D']) {
      const change = `the unknown parameter ${name}`;
      // The schemas' reader passes over that one name; nothing takes it up.
      const isRefused = isRead && name !== '__proto__';
      yield sent(operation, request, { change, isRefused, query: { [name]: '1' } });
    }
    if (request.body !== undefined) yield* this.#body(operation, request);
  }

  #nextText(): string {
    this.#texts += 1;
    return hostileTexts[this.#texts % hostileTexts.length] ?? '';
  }

  *#path(
    operation: ApiOperation,
    request: GoodRequest,
    { name, schema }: ApiParameter,
  ): Generator<SentRequest> {
    for (const value of hostilePaths) {
      const { maxLength = Infinity, format } = schema;
      const isRefused = format === 'uuid' || value.length > Number(maxLength);
      yield sent(operation, request, {
        change: `${name} as ${value.slice(0, 40)}`,
        isRefused,
        path: { [name]: value },
      });
    }
  }

  *#query(operation: ApiOperation, request: GoodRequest, parameter: ApiParameter): Generator<SentRequest> {
    const { name, schema, required } = parameter;
    const given = encodeURIComponent(request.query?.[name] ?? 'x');
    const odd = schema['type'] === 'integer' ? oddNumbers : name === 'after' ? oddCursors : [];
    const text = encodeURIComponent(this.#nextText().toWellFormed());
    const isList = schema['type'] === 'array';
    for (const value of [text, ...odd, 'a%00b', injection, ...(isList ? [] : ['%ed%a0%80']), longText]) {
      yield sent(operation, request, {
        change: `${name} as ${value.slice(0, 60)}`,
        isRefused: !mayBe(schema, decodeURIComponent(value.replace('%ed%a0%80', 'x'))),
        query: { [name]: value },
      });
    }
    const times = isList ? 201 : 2;
    const repeated = Array.from({ length: times }, () => given).join(`&${name}=`);
    yield sent(operation, request, {
      change: `${name} ${times} times`,
      isRefused: !isList,
      query: { [name]: repeated },
    });
    if (!required) return;
    yield sent(operation, request, {
      change: `without ${name}`,
      isRefused: true,
      query: { [name]: undefined },
    });
  }

  *#body(operation: ApiOperation, request: GoodRequest): Generator<SentRequest> {
    const { mediaType = 'application/json', body } = request;
    const schema = operation.bodies[mediaType] ?? {};
    for (const { change, value } of changesOf(body, () => this.#nextText())) {
      const isRefused = this.#validator.fault(schema, value) !== undefined;
      yield sent(operation, request, { change, isRefused, body: JSON.stringify(value) });
    }
    const text = JSON.stringify(body);
    const raw: readonly (string | Buffer)[] = [
      ...hostileBodies,
      text.slice(0, -1),
      `${text} ${text}`,
      text.replace(/^(\[?)\{/, '$1{"__proto__":{"polluted":true},'),
      Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff, 0xc0]), Buffer.from('"}')]),
      '{"\\ud83d":1}',
      `{"a":"${'x'.repeat(300_000)}"}`,
    ];
    for (const one of raw)
      yield sent(operation, request, {
        change: `the body ${String(one).slice(0, 40)}`,
        isRefused: one.length === 0 ? operation.needsBody : this.#refusesText(schema, String(one)),
        body: one,
      });
    for (const type of otherMediaTypes)
      yield sent(operation, request, {
        change: `the media type ${type}`,
        isRefused: true,
        body: text,
        headers: { 'content-type': type },
      });
    yield sent(operation, request, {
      change: 'a content encoding',
      isRefused: true,
      body: text,
      headers: { 'content-encoding': 'gzip' },
    });
  }

  #refusesText(schema: ApiSchema, text: string): boolean {
    try {
      return this.#validator.fault(schema, JSON.parse(text.replace(/^\ufeff/, ''))) !== undefined;
    } catch {
      return true;
    }
  }
}

interface Change {
  readonly change: string;
  readonly value: unknown;
}

/** The value with one place of it changed, once for every place and change. */
function* changesOf(value: unknown, nextText: () => string, at = 'the body'): Generator<Change> {
  const kind = Array.isArray(value) ? 'array' : typeof value;
  for (const other of otherKinds[kind] ?? []) {
    yield { change: `${at} as ${JSON.stringify(other).slice(0, 60)}`, value: other };
  }
  if (typeof value === 'string') {
    for (const text of [nextText(), ...everywhere.map((part) => `${value}${part}`), 'x'.repeat(5_000)])
      yield { change: `${at} as ${JSON.stringify(text).slice(0, 60)}`, value: text };
  }
  if (Array.isArray(value)) {
    const [first, ...rest] = value as readonly unknown[];
    if (first !== undefined)
      for (const changed of changesOf(first, nextText, `${at}[0]`))
        yield { ...changed, value: [changed.value, ...rest] };
  }
  if (kind !== 'object' || value === null) return;
  const members = Object.entries(value as object);
  yield { change: `${at} with an unknown member`, value: { ...(value as object), unexpected: 1 } };
  for (const [name, member] of members) {
    const others = members.filter(([other]) => other !== name);
    yield { change: `${at} without ${name}`, value: Object.fromEntries(others) };
    for (const changed of changesOf(member, nextText, `${at}.${name}`))
      yield { ...changed, value: { ...(value as object), [name]: changed.value } };
  }
}

/** Whether a parameter may have this value, as far as the document says. */
function mayBe(schema: ApiSchema, text: string): boolean {
  const {
    type,
    items,
    enum: choices,
    minimum = 0,
    maximum = Infinity,
    maxLength = Infinity,
    format,
  } = schema;
  if (type === 'array') return mayBe((items ?? {}) as ApiSchema, text) || text.includes(',');
  if (Array.isArray(choices)) return (choices as readonly unknown[]).includes(text);
  if (type === 'boolean') return text === 'true' || text === 'false';
  if (type === 'integer')
    return /^\d+$/.test(text) && Number(text) >= Number(minimum) && Number(text) <= Number(maximum);
  if (format === 'uuid') return uuidPattern.test(text);
  if (format === 'date' && !/^\d{4}-\d\d-\d\d$/.test(text)) return false;
  // JSON Schema counts characters, not what UTF-16 makes of them.
  return Array.from(text).length <= Number(maxLength);
}

interface Changes {
  readonly change: string;
  readonly isRefused?: boolean;
  /** Encoded; they take the place of the good ones. */
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** Values of a header that a client can send at all. Which of them are refused, the document says by their length. */
function* header(
  operation: ApiOperation,
  request: GoodRequest,
  { name, schema }: ApiParameter,
): Generator<SentRequest> {
  for (const value of [
    'x',
    '""',
    '"',
    `"a\\"b"`,
    '0',
    '\u00e9',
    ',;=',
    'wait=-1, wait=1e9',
    'x'.repeat(8000),
  ]) {
    yield sent(operation, request, {
      change: `${name} as ${value.slice(0, 40)}`,
      isRefused: value.length > Number(schema['maxLength'] ?? Infinity),
      headers: { [name]: value },
    });
  }
}

function sent(operation: ApiOperation, request: GoodRequest, changes: Changes): SentRequest {
  const { change, isRefused = false, path = {}, query = {}, headers = {} } = changes;
  const place = operation.path.replaceAll(
    /\{(\w+)\}/g,
    (_, name: string) => path[name] ?? encodeURIComponent(request.path?.[name] ?? ''),
  );
  const good = Object.entries(request.query ?? {}).map(
    ([name, value]) => [name, encodeURIComponent(value)] as const,
  );
  const asked: Readonly<Record<string, string | undefined>> = { ...Object.fromEntries(good), ...query };
  const pairs = Object.entries(asked).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}`],
  );
  const body = changes.body ?? (request.body === undefined ? undefined : JSON.stringify(request.body));
  return {
    change,
    isRefused,
    url: pairs.length === 0 ? place : `${place}?${pairs.join('&')}`,
    headers: {
      ...(request.accept === undefined ? {} : { accept: request.accept }),
      ...(body === undefined ? {} : { 'content-type': request.mediaType ?? 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
  };
}
