/* Spans as they are told, whichever encoding they come in: what this product reads of them. */

/** A value of an attribute; lists and objects are not read. */
export type AttributeValue = string | number | boolean;
export type Attributes = ReadonlyMap<string, AttributeValue>;

export interface ReceivedSpan {
  /** In lower-case hex. */
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for a root. */
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly isError: boolean;
  readonly attributes: Attributes;
  readonly resource: Attributes;
  /** Of the instrumentation that made it. */
  readonly scope: string;
}

/** The most spans of one request. */
export const maxSpans = 10_000;
/** The most attributes of one span that are read; the number of the specification. */
export const maxAttributes = 128;
/** The longest text of an attribute that is read. */
export const maxTextLength = 4_096;

/** Attributes that say something about usage or origin; all others, prompts and answers among them, are passed over unread. */
export function isReadAttribute(key: string): boolean {
  return /^(?:gen_ai\.(?!prompt|completion|input\.|output\.|system_instructions)|llm\.(?:model_name|provider|system|token_count)|openinference\.span\.kind|millrace\.|service\.name|error\.type|ai\.response\.id)/.test(
    key,
  );
}
