import { removeSecrets } from './known-secrets.ts';
import type { Attributes, Link } from '@opentelemetry/api';
import type { RecordedSpan, SpanEvent } from './recorded-span.ts';

/*
 * Spans as the JSON of OTLP (opentelemetry.proto.collector.trace.v1, in its JSON form: ids in hex, 64-bit times as text).
 * Appended piece by piece to one text: objects made only to be turned into text were half of what spans cost, and texts put together
 * of texts are a third dearer.
 */

/** Where a process's spans come from. */
export interface SpanSource {
  readonly serviceName: string;
  /** Of the product: the version of the service and of its instrumentation. */
  readonly version: string;
}

/** The body of one export. */
export function exportBody({ serviceName, version }: SpanSource, spans: readonly RecordedSpan[]): Buffer {
  const body = new ExportText();
  body.begin({ 'service.name': serviceName, 'service.version': version }, version);
  for (const span of spans) body.addSpan(span);
  return body.end();
}

/** How deep lists and objects within attributes are followed. */
const maxDepth = 4;
/** The most attributes of one span, event or link. The number of the specification. */
const maxAttributes = 128;

// What needs no escape in JSON: printable ASCII without the quotation mark and the backslash.
const plainPattern = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

/** The beginnings of attributes by their keys, of which there are few; past the bound they are written anew each time. */
const beginnings = new Map<string, string>();
const maxBeginnings = 1000;

class ExportText {
  #text = '';
  #isFirst = true;

  begin(resource: Attributes, version: string): void {
    this.#text = '{"resourceSpans":[{"resource":{"attributes":[';
    this.#addAttributes(resource);
    this.#text += `]},"scopeSpans":[{"scope":{"name":"millrace","version":${quoted(version)}},"spans":[`;
  }

  end(): Buffer {
    return Buffer.from(`${this.#text}]}]}]}`);
  }

  addSpan(span: RecordedSpan): void {
    const { traceId, spanId, traceState } = span.spanContext();
    const { parentSpanId, links, events, status } = span;
    this.#text += this.#isFirst ? '{"traceId":"' : ',{"traceId":"';
    this.#isFirst = false;
    this.#text += traceId;
    this.#text += '","spanId":"';
    this.#text += spanId;
    if (parentSpanId !== undefined) {
      this.#text += '","parentSpanId":"';
      this.#text += parentSpanId;
    }
    this.#text += '","flags":1,"name":';
    this.#text += quoted(span.name);
    if (traceState !== undefined) this.#text += `,"traceState":${quoted(traceState.serialize())}`;
    // The enumeration of the format begins with "unspecified".
    this.#text += `,"kind":${span.kind + 1},"startTimeUnixNano":"`;
    this.#text += nanosecondsOf(span.startMs);
    this.#text += '","endTimeUnixNano":"';
    this.#text += nanosecondsOf(span.endMs);
    this.#text += '","attributes":[';
    this.#addAttributes(span.attributes);
    this.#text += ']';
    this.#addList('events', events, (event) => this.#addEvent(event));
    this.#addList('links', links, (link) => this.#addLink(link));
    this.#text += `,"status":{"code":${status.code}`;
    if (status.message !== undefined) this.#text += `,"message":${quoted(status.message)}`;
    this.#text += '}}';
  }

  #addEvent({ name, atMs, attributes }: SpanEvent): void {
    this.#text += `{"timeUnixNano":"${nanosecondsOf(atMs)}","name":${quoted(name)},"attributes":[`;
    this.#addAttributes(attributes);
    this.#text += ']}';
  }

  #addLink({ context, attributes = {} }: Link): void {
    this.#text += `{"traceId":"${context.traceId}","spanId":"${context.spanId}","attributes":[`;
    this.#addAttributes(attributes);
    this.#text += ']}';
  }

  /** A member with a list, if there is anything in it. */
  #addList<Item>(name: string, items: readonly Item[], add: (item: Item) => void): void {
    if (items.length === 0) return;
    this.#text += `,"${name}":[`;
    for (const [index, item] of items.entries()) {
      if (index > 0) this.#text += ',';
      add(item);
    }
    this.#text += ']';
  }

  #addAttributes(attributes: Attributes): void {
    let count = 0;
    for (const key in attributes) {
      const value = attributes[key];
      if (value === undefined) continue;
      if (count === maxAttributes) return;
      if (count > 0) this.#text += ',';
      count += 1;
      this.#text += beginningOf(key);
      this.#addValue(value);
      this.#text += '}';
    }
  }

  #addValue(value: unknown, depth = 0): void {
    switch (typeof value) {
      case 'string':
        this.#text += '{"stringValue":';
        this.#text += quoted(value);
        break;
      case 'number':
        this.#text += Number.isSafeInteger(value) ? '{"intValue":' : '{"doubleValue":';
        // JSON has no number for the others; the mapping of protocol buffers writes their names.
        this.#text += Number.isFinite(value) ? String(value) : `"${value}"`;
        break;
      case 'boolean':
        this.#text += `{"boolValue":${value}`;
        break;
      default:
        this.#text += '{';
        // What is deeper, or of no kind that the format knows, is a value that says nothing.
        if (depth < maxDepth) this.#addNested(value, depth + 1);
    }
    this.#text += '}';
  }

  #addNested(value: unknown, depth: number): void {
    if (Array.isArray(value)) {
      this.#text += '"arrayValue":{"values":[';
      for (const [index, item] of value.entries()) {
        if (index > 0) this.#text += ',';
        this.#addValue(item, depth);
      }
      this.#text += ']}';
    } else if (value instanceof Uint8Array) {
      this.#text += `"bytesValue":"${Buffer.from(value).toString('base64')}"`;
    } else if (typeof value === 'object' && value !== null) {
      this.#text += '"kvlistValue":{"values":[';
      for (const [index, [key, item]] of Object.entries(value).entries()) {
        if (index > 0) this.#text += ',';
        this.#text += `{"key":${quoted(key)},"value":`;
        this.#addValue(item, depth);
        this.#text += '}';
      }
      this.#text += ']}';
    }
  }
}

function beginningOf(key: string): string {
  const known = beginnings.get(key);
  if (known !== undefined) return known;
  const beginning = `{"key":${quoted(key)},"value":`;
  if (beginnings.size < maxBeginnings) beginnings.set(key, beginning);
  return beginning;
}

function quoted(text: string): string {
  const value = removeSecrets(text);
  return plainPattern.test(value) ? `"${value}"` : JSON.stringify(value);
}

function nanosecondsOf(ms: number): string {
  // Nanoseconds since 1970 are beyond what a double counts exactly; microseconds are not.
  return `${Math.round(ms * 1000)}000`;
}
