import { type Fault, fieldOf } from '../kernel/fault.ts';

/*
 * Data is stored as JSON, and consumers read it from there: what JSON does not carry must be refused at admission,
 * not found out by the consumer. A value with `toJSON` (a Date) is carried as what that answers.
 */

export type JsonForm =
  /** What a consumer will read; `isSame` when that is what was given. */
  | { readonly kind: 'json'; readonly value: unknown; readonly isSame: boolean }
  | { readonly kind: 'faults'; readonly faults: readonly Fault[] };

/** The most levels of arrays and objects in data, unless configured otherwise. */
const defaultMaxDepth = 128;

const maxFaults = 20;

interface Walk {
  readonly maxDepth: number;
  readonly faults: Fault[];
  /** The objects that the walk is inside of. */
  readonly above: Set<object>;
  /** Where the walk is, by names and indexes; made into a text only for a fault. */
  readonly path: (string | number)[];
  hasOwnForm: boolean;
}

/** The data as JSON carries it, or every place where it does not, by its path. */
export function jsonForm(data: unknown, maxDepth = defaultMaxDepth): JsonForm {
  // An absent body is stored as null.
  if (data === undefined) return { kind: 'json', value: null, isSame: false };
  const walk: Walk = { maxDepth, faults: [], above: new Set(), path: ['data'], hasOwnForm: false };
  try {
    visit(data, walk);
    if (walk.faults.length > 0) return { kind: 'faults', faults: walk.faults };
    if (!walk.hasOwnForm) return { kind: 'json', value: data, isSame: true };
    const value = JSON.parse(JSON.stringify(data) ?? 'null') as unknown;
    return { kind: 'json', value, isSame: false };
  } catch {
    // A getter, a Proxy or a toJSON that throws.
    return {
      kind: 'faults',
      faults: [{ field: 'data', problem: 'cannot be read: reading it throws an error' }],
    };
  }
}

function visit(value: unknown, walk: Walk): void {
  if (walk.faults.length >= maxFaults) return;
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return;
    case 'number':
      if (!Number.isFinite(value)) refuse(walk, `${value} is not a JSON number`);
      return;
    case 'undefined':
      refuse(walk, 'undefined is no JSON value; leave it out or send null');
      return;
    case 'bigint':
      refuse(walk, 'a BigInt is no JSON value; send it as text');
      return;
    case 'function':
    case 'symbol':
      refuse(walk, `a ${typeof value} is no JSON value`);
      return;
    case 'object':
      if (value !== null) visitObject(value, walk);
  }
}

function visitObject(value: object, walk: Walk): void {
  if (walk.above.has(value)) {
    refuse(walk, 'refers to itself');
    return;
  }
  if (walk.above.size >= walk.maxDepth) {
    refuse(walk, `is nested deeper than ${walk.maxDepth} levels`);
    return;
  }
  walk.above.add(value);
  if (hasJsonForm(value)) {
    walk.hasOwnForm = true;
    if (value instanceof Date && Number.isNaN(value.getTime())) refuse(walk, 'is an invalid date');
    else visit(value.toJSON(), walk);
  } else if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) visitAt(index, value[index], walk);
  } else if (isPlain(value)) {
    for (const name of Object.keys(value)) {
      const member: unknown = Reflect.get(value, name);
      // JSON leaves an absent member out, and so does a schema.
      if (name === '__proto__') refuse(walk, 'must not be named "__proto__"', name);
      else if (member !== undefined) visitAt(name, member, walk);
    }
  } else {
    const name = (value.constructor as { readonly name?: unknown } | undefined)?.name;
    refuse(walk, `a ${typeof name === 'string' && name !== '' ? name : 'class instance'} is no JSON value`);
  }
  walk.above.delete(value);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  // An object of another realm has another Object.prototype, which has no prototype itself.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function hasJsonForm(value: object): value is { toJSON(): unknown } {
  return 'toJSON' in value && typeof value.toJSON === 'function';
}

function visitAt(place: string | number, value: unknown, walk: Walk): void {
  walk.path.push(place);
  visit(value, walk);
  walk.path.pop();
}

function refuse(walk: Walk, problem: string, member?: string): void {
  const field = fieldOf([...walk.path, ...(member === undefined ? [] : [member])]);
  walk.faults.push({ field: field.toWellFormed(), problem });
}
