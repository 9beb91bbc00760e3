import { drawInteger, drawOne, type Random } from './draws.ts';
import type { JsonSchema } from './endpoint.ts';
import { phrase } from './prose.ts';

/*
 * A JSON value that is valid against a JSON Schema, drawn deterministically: types, enum, const, nested objects,
 * arrays, bounds, the common string formats, anyOf/oneOf/allOf and references. `pattern` is not obeyed unless a known
 * `format` stands beside it. Bounds that stand only in a description are read there, as a model would: that is where the
 * AI SDK puts them for Anthropic. Past a depth, optional properties are left out so that recursive schemas end.
 */

const maxDepth = 6;

/** What the values are drawn from. */
export interface InstanceSource {
  readonly random: Random;
  readonly vocabulary: readonly string[];
  /** Whether free strings carry a U+0000. */
  readonly hasNul: boolean;
}

/** A value valid against the schema. */
export function jsonInstance(schema: JsonSchema, source: InstanceSource): unknown {
  return instance(schema, { root: schema, source, depth: 0 });
}

/** A value that is not valid against the schema, such as a model gives that forgot its instructions. */
export function invalidInstance(schema: JsonSchema, source: InstanceSource): unknown {
  const required = Array.isArray(schema['required']) ? schema['required'] : [];
  const note = phrase(source.vocabulary, source.random, 4);
  if (required.some((name) => name !== 'note')) return { note };
  return schema['type'] === 'string' ? { note } : note;
}

interface Place {
  readonly root: JsonSchema;
  readonly source: InstanceSource;
  readonly depth: number;
}

function instance(given: JsonSchema, place: Place): unknown {
  const schema = { ...boundsInWords(given['description']), ...given };
  const { random } = place.source;
  const reference = schema['$ref'];
  if (typeof reference === 'string') return instance(resolve(reference, place.root), deeper(place));
  if ('const' in schema) return schema['const'];
  if (Array.isArray(schema['enum'])) return drawOne<unknown>(random, schema['enum']);
  const branches = schemasOf(schema['anyOf']) ?? schemasOf(schema['oneOf']);
  if (branches !== undefined) return instance(branchOf(branches, place), deeper(place));
  const parts = schemasOf(schema['allOf']);
  if (parts !== undefined) return instance(merged(schema, parts, place.root), place);
  switch (typeOf(schema, place)) {
    case 'object':
      return objectInstance(schema, place);
    case 'array':
      return arrayInstance(schema, place);
    case 'integer':
      return numberInstance(schema, random, 1);
    case 'number':
      return numberInstance(schema, random, 0.01);
    case 'boolean':
      return random() < 0.5;
    case 'null':
      return null;
    default:
      return stringInstance(schema, place.source);
  }
}

const boundInWords =
  /(?:^|[\n;] ?)((?:exclusive )?m(?:in|ax)imum|multiple of|m(?:in|ax) (?:length|items)|unique items): (-?\d[\d.]*|true)/g;

/** "minimum: 0; max items: 3." as the keywords that it stands for. */
function boundsInWords(description: unknown): Record<string, unknown> {
  if (typeof description !== 'string') return {};
  const bounds: Record<string, unknown> = {};
  for (const [, words = '', value = ''] of description.matchAll(boundInWords)) {
    const keyword = words.replace(/ [a-z]/g, (start) => start.slice(1).toUpperCase());
    bounds[keyword] = value === 'true' ? true : Number.parseFloat(value);
  }
  return bounds;
}

function objectInstance(schema: JsonSchema, place: Place): unknown {
  const properties = isSchema(schema['properties']) ? schema['properties'] : {};
  const required = Array.isArray(schema['required']) ? schema['required'] : [];
  const result: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(properties)) {
    if (place.depth >= maxDepth && !required.includes(name)) continue;
    result[name] = instance(isSchema(property) ? property : {}, deeper(place));
  }
  const additional = schema['additionalProperties'];
  if (Object.keys(properties).length === 0 && isSchema(additional) && place.depth < maxDepth) {
    const names = isSchema(schema['propertyNames']) ? schema['propertyNames'] : { type: 'string' };
    result[String(instance(names, deeper(place)))] = instance(additional, deeper(place));
  }
  return result;
}

function arrayInstance(schema: JsonSchema, place: Place): unknown[] {
  const fixed = schemasOf(schema['prefixItems']);
  if (fixed !== undefined) return fixed.map((item) => instance(item, deeper(place)));
  const items = isSchema(schema['items']) ? schema['items'] : {};
  const least = numberOf(schema['minItems']) ?? 0;
  const most = Math.min(numberOf(schema['maxItems']) ?? least + 3, least + 3);
  const length =
    place.depth >= maxDepth
      ? least
      : drawInteger(place.source.random, Math.max(least, Math.min(1, most)), most);
  const result: unknown[] = [];
  const seen = new Set<string>();
  // Where items must differ, a bounded number of draws looks for distinct ones.
  for (let draws = 0; result.length < length && draws < length * 20; draws += 1) {
    const item = instance(items, deeper(place));
    const text = JSON.stringify(item);
    if (schema['uniqueItems'] === true && seen.has(text)) continue;
    seen.add(text);
    result.push(item);
  }
  return result;
}

function numberInstance(schema: JsonSchema, random: Random, grain: number): number {
  const step = numberOf(schema['multipleOf']) ?? grain;
  const above = numberOf(schema['exclusiveMinimum']);
  const below = numberOf(schema['exclusiveMaximum']);
  const least = Math.max(
    numberOf(schema['minimum']) ?? -Infinity,
    above === undefined ? -Infinity : above + step,
  );
  const most = Math.min(
    numberOf(schema['maximum']) ?? Infinity,
    below === undefined ? Infinity : below - step,
  );
  // JSON Schemas made by zod bound every integer by the safe range; a number of that size would look odd.
  const from = least > -1e9 ? least : Math.min(0, most);
  const to = most < 1e9 ? most : Math.min(most, from + 100);
  const steps = drawInteger(random, Math.ceil(from / step), Math.floor(to / step));
  return Number((steps * step).toFixed(6));
}

function stringInstance(schema: JsonSchema, { random, vocabulary, hasNul }: InstanceSource): string {
  const digits = (length: number): string =>
    Array.from({ length }, () => drawInteger(random, 0, 15).toString(16)).join('');
  const day = (): string => new Date(Date.UTC(2026, 0, drawInteger(random, 1, 365))).toISOString();
  switch (schema['format']) {
    case 'date-time':
      return day();
    case 'date':
      return day().slice(0, 10);
    case 'time':
      return '09:30:00Z';
    case 'duration':
      return `P${drawInteger(random, 1, 30)}D`;
    case 'uuid':
      return `${digits(8)}-${digits(4)}-4${digits(3)}-8${digits(3)}-${digits(12)}`;
    case 'email':
      return `contact${drawInteger(random, 1, 999)}@example.com`;
    case 'uri':
      return `https://example.com/${digits(8)}`;
    case 'hostname':
      return `host${drawInteger(random, 1, 999)}.example.com`;
    case 'ipv4':
      return `192.0.2.${drawInteger(random, 1, 254)}`;
    default:
      break;
  }
  const least = numberOf(schema['minLength']) ?? 0;
  const most = numberOf(schema['maxLength']) ?? Number.MAX_SAFE_INTEGER;
  let text = phrase(vocabulary, random, drawInteger(random, 3, 9));
  while (text.length < least) text += ` ${phrase(vocabulary, random, 4)}`;
  if (hasNul) text = `${text.slice(0, 3)}\u0000${text.slice(4)}`;
  return text.slice(0, most);
}

function typeOf(schema: JsonSchema, place: Place): unknown {
  const type = schema['type'];
  if (Array.isArray(type)) {
    const choices = type.filter((name) => name !== 'null');
    return place.depth >= maxDepth && type.includes('null') ? 'null' : (choices[0] ?? 'null');
  }
  if (type !== undefined) return type;
  if ('properties' in schema) return 'object';
  return 'items' in schema ? 'array' : 'string';
}

/** Deep inside, the plainest branch; else mostly one that is not null. */
function branchOf(branches: readonly JsonSchema[], place: Place): JsonSchema {
  const weight = (branch: JsonSchema): number => ('$ref' in branch ? 2 : branch['type'] === 'null' ? 0 : 1);
  if (place.depth >= maxDepth)
    return branches.toSorted((left, right) => weight(left) - weight(right))[0] ?? {};
  const full = branches.filter((branch) => branch['type'] !== 'null');
  return (
    drawOne(place.source.random, place.source.random() < 0.85 && full.length > 0 ? full : branches) ?? {}
  );
}

function merged(schema: JsonSchema, parts: readonly JsonSchema[], root: JsonSchema): JsonSchema {
  const { allOf: _parts, ...rest } = schema;
  let result: Record<string, unknown> = rest;
  for (const part of parts) {
    const whole = typeof part['$ref'] === 'string' ? resolve(part['$ref'], root) : part;
    const properties = { ...asRecord(result['properties']), ...asRecord(whole['properties']) };
    const required = [...asList(result['required']), ...asList(whole['required'])];
    result = { ...result, ...whole, ...(Object.keys(properties).length > 0 && { properties, required }) };
  }
  return result;
}

/** The schema that a reference within the same document points to. */
function resolve(reference: string, root: JsonSchema): JsonSchema {
  let target: unknown = root;
  for (const part of reference.replace(/^#\/?/, '').split('/')) {
    if (part === '') continue;
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    target = isSchema(target) ? target[name] : undefined;
  }
  return isSchema(target) ? target : {};
}

function deeper(place: Place): Place {
  return { ...place, depth: place.depth + 1 };
}

function schemasOf(value: unknown): JsonSchema[] | undefined {
  return Array.isArray(value) ? value.filter(isSchema) : undefined;
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asRecord(value: unknown): JsonSchema {
  return isSchema(value) ? value : {};
}

function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
