import { asRecord, type JsonRecord } from './token-usage.ts';

/*
 * The error that a body tells of, whatever its HTTP status says: OpenAI's and Anthropic's `error`, the same in an array
 * (Gemini), as a bare text, inside a `response` that failed, with its status as a number or a text (OpenRouter).
 */

/** An error in the provider's own words. */
export interface ReportedError {
  /** Its HTTP status, when it names one. */
  readonly status: number | undefined;
  readonly message: string;
  readonly detail: JsonRecord;
}

/** Reads it; undefined when the body tells of none. */
export function reportedError(body: unknown): ReportedError | undefined {
  const answer = asRecord(Array.isArray(body) ? body[0] : body);
  if (answer === undefined) return undefined;
  const told = answer['error'] ?? asRecord(answer['response'])?.['error'];
  if (typeof told === 'string' && told !== '') return { status: undefined, message: told, detail: {} };
  const detail = asRecord(told);
  if (detail !== undefined) {
    const status = statusOf(detail['code']) ?? statusOf(detail['status']) ?? statusOf(detail['statusCode']);
    return { status, message: messageOf(detail), detail };
  }
  const hasFailed = answer['type'] === 'error' || answer['status'] === 'failed';
  return hasFailed ? { status: undefined, message: messageOf(answer), detail: answer } : undefined;
}

function messageOf(detail: JsonRecord): string {
  const raw = asRecord(detail['metadata'])?.['raw'];
  const words = [detail['message'], raw].filter((word) => typeof word === 'string' && word !== '');
  return words.length > 0 ? words.join(': ') : 'the provider reported an error without words';
}

function statusOf(code: unknown): number | undefined {
  const status = typeof code === 'string' && /^\d{3}$/.test(code) ? Number(code) : code;
  return typeof status === 'number' && Number.isInteger(status) && status >= 400 && status < 600
    ? status
    : undefined;
}
