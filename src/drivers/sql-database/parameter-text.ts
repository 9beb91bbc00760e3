import { isUsd } from '../../kernel/money.ts';
import { InvariantError } from '../../kernel/invariant.ts';

/*
 * Both drivers send parameters as PostgreSQL's own text forms, written here, so that a value means the
 * same in both. The server infers each parameter's type from the statement.
 */

/**
 * A parameter's text form, or null.
 * Arrays become PostgreSQL arrays (nested ones too, nulls kept), Date an ISO instant, Uint8Array bytea,
 * a decimal its plain digits; any other object its JSON. A JSON *array* must be given as text.
 */
export function parameterText(value: unknown): string | null {
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value);
    case 'undefined':
      return null;
    case 'object':
      return value === null ? null : objectText(value);
    default:
      throw new InvariantError(`Invariant broken: a ${typeof value} is no SQL parameter`);
  }
}

function objectText(value: object): string {
  if (Array.isArray(value)) return arrayText(value);
  if (value instanceof Date) return value.toISOString();
  if (isUsd(value)) return value.toFixed();
  if (value instanceof Uint8Array) {
    return `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`;
  }
  return JSON.stringify(value);
}

function arrayText(values: readonly unknown[]): string {
  let text = '{';
  for (let index = 0; index < values.length; index += 1) {
    if (index > 0) text += ',';
    text += elementText(values[index]);
  }
  return `${text}}`;
}

const mustEscape = /["\\]/;

function elementText(value: unknown): string {
  if (Array.isArray(value)) return arrayText(value);
  const text = parameterText(value);
  // Quoted always: an unquoted null, brace, comma or empty string would mean something else.
  if (text === null) return 'NULL';
  return mustEscape.test(text) ? `"${text.replaceAll(/["\\]/g, '\\$&')}"` : `"${text}"`;
}
