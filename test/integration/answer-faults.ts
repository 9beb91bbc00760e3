import { problemSchema } from '../../src/http/problem.ts';
import { errorCodes } from '../../src/host/error-codes.ts';
import type { ApiOperation } from '../support/api-operations.ts';
import type { ApiValidator } from '../support/api-validator.ts';

/** An answer as it came. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

/** What only the inside knows: places in files, stacks, what a store says. */
const inside =
  /node_modules|\.[cm]?[jt]s:\d+|\n\s+at |\/(?:work|tmp|root|home|usr)\/|DB::Exception|pglite|syntax error at|violates|duplicate key|invalid input syntax|"(?:stack|cause)"/i;

/**
 * Why the answer is none that the document declares for the operation; undefined when it is one. A refusal is a problem document, and no answer
 * fails, says anything of the inside, or has a header that a caller wrote.
 */
export function answerFault(
  { answers }: ApiOperation,
  { status, headers, body }: Answer,
  validator: ApiValidator,
): string | undefined {
  const text = body.toString('utf8');
  const { 'content-type': contentType } = headers;
  const mediaType = typeof contentType === 'string' ? (contentType.split(';')[0] ?? '') : '';
  if (status >= 500) return `${status} ${text.slice(0, 200)}`;
  if (headers['x-injected'] !== undefined) return 'a header of the answer was written by its caller';
  if (status >= 400) {
    if (mediaType !== 'application/problem+json') return `${status} as ${mediaType}`;
    const problem = problemSchema.strict().safeParse(JSON.parse(text));
    if (!problem.success) return `no problem document: ${text.slice(0, 200)}`;
    if (problem.data.status !== status) return `${status} calls itself ${problem.data.status}`;
    if (!Object.hasOwn(errorCodes, problem.data.code)) return `the code ${problem.data.code}`;
    return inside.test(text) ? `it tells of the inside: ${text.slice(0, 300)}` : undefined;
  }
  const declared = answers[String(status)];
  if (declared === undefined) return `${status}, which is not declared`;
  if (body.length === 0 && Object.keys(declared).length === 0) return undefined;
  const schema = declared[mediaType];
  if (schema === undefined) return `${status} as ${mediaType}, which is not declared`;
  if (mediaType !== 'application/json') return undefined;
  const fault = validator.fault(schema, JSON.parse(text));
  return fault === undefined ? undefined : `another answer than is declared: ${fault.slice(0, 300)}`;
}
