import { invalidRequest } from '../../../http/request-faults.ts';
import {
  type Attributes,
  type AttributeValue,
  isReadAttribute,
  maxAttributes,
  maxSpans,
  maxTextLength,
  type ReceivedSpan,
} from './received-span.ts';

/*
 * The JSON form of OTLP's ExportTraceServiceRequest (opentelemetry-proto 1): ids in hex, 64-bit numbers as text or number. What is of another form than
 * the specification's is a fault of the request where nothing can be read, and passed over where it is one attribute.
 */

/** The spans of a request. Throws MILLRACE_REQUEST_INVALID for a body that is none, or has too many. */
export function spansOfJson(body: unknown): readonly ReceivedSpan[] {
  const spans: ReceivedSpan[] = [];
  for (const resourceSpans of listIn(body, 'resourceSpans', 'body')) {
    const resource = attributesOf(memberOf(memberOf(resourceSpans, 'resource'), 'attributes'));
    for (const scopeSpans of listIn(resourceSpans, 'scopeSpans', 'resourceSpans')) {
      const scope = textOf(memberOf(memberOf(scopeSpans, 'scope'), 'name'));
      for (const span of listIn(scopeSpans, 'spans', 'scopeSpans')) {
        if (spans.length === maxSpans) throw invalidTraces(`has more than ${maxSpans} spans`);
        spans.push(spanOf(span, resource, scope));
      }
    }
  }
  return spans;
}

function spanOf(span: unknown, resource: Attributes, scope: string): ReceivedSpan {
  return {
    traceId: textOf(memberOf(span, 'traceId')).toLowerCase(),
    spanId: textOf(memberOf(span, 'spanId')).toLowerCase(),
    parentSpanId: textOf(memberOf(span, 'parentSpanId')).toLowerCase(),
    traceState: textOf(memberOf(span, 'traceState')),
    name: textOf(memberOf(span, 'name')),
    startMs: msOfNanos(memberOf(span, 'startTimeUnixNano')),
    endMs: msOfNanos(memberOf(span, 'endTimeUnixNano')),
    isError: isErrorCode(memberOf(memberOf(span, 'status'), 'code')),
    attributes: attributesOf(memberOf(span, 'attributes')),
    resource,
    scope,
  };
}

function isErrorCode(code: unknown): boolean {
  return code === 2 || code === 'STATUS_CODE_ERROR';
}

function attributesOf(list: unknown): Attributes {
  const read = new Map<string, AttributeValue>();
  if (!Array.isArray(list)) return read;
  for (const entry of list as readonly unknown[]) {
    const key = memberOf(entry, 'key');
    if (typeof key !== 'string' || !isReadAttribute(key)) continue;
    const value = valueOf(memberOf(entry, 'value'));
    if (value !== undefined) read.set(key, value);
    if (read.size === maxAttributes) break;
  }
  return read;
}

function valueOf(value: unknown): AttributeValue | undefined {
  const text = memberOf(value, 'stringValue');
  if (typeof text === 'string') return text.length > maxTextLength ? undefined : text;
  const int = memberOf(value, 'intValue');
  if (typeof int === 'number') return int;
  if (typeof int === 'string' && /^-?\d{1,19}$/.test(int)) return Number(int);
  const double = memberOf(value, 'doubleValue');
  if (typeof double === 'number') return double;
  const flag = memberOf(value, 'boolValue');
  return typeof flag === 'boolean' ? flag : undefined;
}

function msOfNanos(value: unknown): number {
  const text = typeof value === 'number' ? String(Math.round(value)) : value;
  return typeof text === 'string' && /^\d{1,20}$/.test(text) ? Number(BigInt(text) / 1_000_000n) : 0;
}

function listIn(value: unknown, name: string, where: string): readonly unknown[] {
  const list = memberOf(value, name) ?? [];
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !Array.isArray(list))
    throw invalidTraces(`must have a list "${name}" in each ${where}, as OTLP's JSON has it`);
  return list as readonly unknown[];
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (Reflect.get(value, name) as unknown) : undefined;
}

function textOf(value: unknown): string {
  return typeof value === 'string' && value.length <= maxTextLength ? value : '';
}

function invalidTraces(problem: string) {
  return invalidRequest([{ field: 'body', problem }]);
}
