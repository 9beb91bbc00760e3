import { asRecord } from './token-usage.ts';

/*
 * An answer of Anthropic's shape without usage. The SDK refuses it whole, though there is an answer and it is paid for: the
 * call would be unsettled, and each further attempt asked and paid again. Here a usage block of zeros is put in its place,
 * marked as such, which counts as no usage: the answer is given, and its tokens are estimated.
 */

/** Stands in a usage block that no provider sent. */
const mark = { millrace_missing: true };

const noUsageOfMessage = { input_tokens: 0, output_tokens: 0, ...mark };
const noUsageOfDelta = { output_tokens: 0, ...mark };

const dataLines = /^(data: ?)([^\r\n]*)/gm;
/** The parts that must have usage: the message, whole or at its start, and the delta that ends it. */
const mayLack = /"type"\s*:\s*"(?:message|message_start|message_delta)"/;

/** A whole answer, with a usage block. */
export function wholeWithUsage(text: string): string {
  if (!mayLack.test(text)) return text;
  const answer = parsed(text);
  if (answer === undefined || answer['type'] !== 'message' || hasUsage(answer)) return text;
  return JSON.stringify({ ...answer, usage: noUsageOfMessage });
}

/** Whole lines of an event stream, with usage blocks. */
export function linesWithUsage(lines: string): string {
  if (!mayLack.test(lines)) return lines;
  return lines.replaceAll(dataLines, (_line, head: string, data: string) => head + eventWithUsage(data));
}

function eventWithUsage(data: string): string {
  if (!mayLack.test(data)) return data;
  const event = parsed(data);
  if (event === undefined) return data;
  if (event['type'] === 'message_delta' && !hasUsage(event))
    return JSON.stringify({ ...event, usage: noUsageOfDelta });
  const message = asRecord(event['message']);
  if (event['type'] !== 'message_start' || message === undefined || hasUsage(message)) return data;
  return JSON.stringify({ ...event, message: { ...message, usage: noUsageOfMessage } });
}

function hasUsage(holder: Readonly<Record<string, unknown>>): boolean {
  return asRecord(holder['usage']) !== undefined;
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return asRecord(JSON.parse(text));
  } catch {
    // Not JSON: whoever reads it will say so.
    return undefined;
  }
}
