import { z } from 'zod';
import { memberText } from './json-member.ts';
import type { BatchUsage, LineResult, ResultLine } from './provider-batch-api.ts';

/*
 * Lines of results, as the providers write them. What does not fit is unreadable: the request is then without a result, never taken for
 * done. The body of an answer is kept as it was written.
 */

const count = z.int().min(0);
const errorText = z.string().nullish();

const openaiLine = z.object({
  custom_id: z.string(),
  response: z.object({ status_code: z.int().nullish(), body: z.unknown() }).nullish(),
  error: z.object({ code: errorText, message: errorText }).nullish(),
});

const openaiErrorBody = z.object({
  error: z.object({ code: errorText, type: errorText, message: errorText }),
});

const anthropicLine = z.object({
  custom_id: z.string(),
  result: z.discriminatedUnion('type', [
    z.object({ type: z.literal('succeeded'), message: z.looseObject({}) }),
    z.object({ type: z.literal('errored'), error: z.unknown() }),
    z.object({ type: z.literal('canceled') }),
    z.object({ type: z.literal('expired') }),
  ]),
});

const anthropicErrorBody = z.object({ error: z.object({ type: errorText, message: errorText }) });

/** The end of a request that the provider names by the code of its error. */
const endsByCode: Readonly<Partial<Record<string, LineResult['outcome']>>> = {
  batch_expired: 'expired',
  batch_cancelled: 'cancelled',
};

/** Reads a line of OpenAI's output or error file; undefined is one that was too long. */
export function readOpenaiLine(text: string | undefined): ResultLine {
  return readLine(text, openaiLine, ({ custom_id: customId, response, error }, line) => ({
    kind: 'result',
    customId,
    result: openaiResult(response ?? undefined, error ?? undefined, line),
  }));
}

/** Reads a line of Anthropic's results; undefined is one that was too long. */
export function readAnthropicLine(text: string | undefined): ResultLine {
  return readLine(text, anthropicLine, ({ custom_id: customId, result }, line) => ({
    kind: 'result',
    customId,
    result: anthropicResult(result, line),
  }));
}

function readLine<Schema extends z.ZodType>(
  text: string | undefined,
  schema: Schema,
  understand: (line: z.output<Schema>, text: string) => ResultLine,
): ResultLine {
  if (text === undefined) return { kind: 'unreadable' };
  try {
    return understand(schema.parse(JSON.parse(text)), text);
  } catch {
    // No JSON, deeper than any answer, or in another form.
    return { kind: 'unreadable' };
  }
}

type OpenaiLine = z.output<typeof openaiLine>;

function openaiResult(
  response: NonNullable<OpenaiLine['response']> | undefined,
  error: NonNullable<OpenaiLine['error']> | undefined,
  line: string,
): LineResult {
  const statusCode = response?.status_code ?? undefined;
  const { body } = response ?? {};
  const isAnswer = typeof body === 'object' && body !== null;
  if (statusCode !== undefined && statusCode >= 200 && statusCode < 300 && isAnswer) {
    const text = memberText(line, ['response', 'body']);
    return { outcome: 'succeeded', statusCode, body: text, usage: usageOf(body) };
  }
  const outcome = endsByCode[error?.code ?? ''];
  if (outcome !== undefined) return { outcome, error: named(error?.code, error?.message) };
  // Status 0, or none, is no answer, whatever file the line stands in.
  const told = openaiErrorBody.safeParse(body);
  const fault = told.success ? told.data.error : undefined;
  const code = error?.code ?? fault?.code ?? fault?.type ?? `http_${statusCode ?? 'none'}`;
  return { outcome: 'failed', statusCode, error: named(code, error?.message ?? fault?.message) };
}

function anthropicResult(result: z.output<typeof anthropicLine>['result'], line: string): LineResult {
  switch (result.type) {
    case 'succeeded':
      return {
        outcome: 'succeeded',
        statusCode: 200,
        body: memberText(line, ['result', 'message']),
        usage: usageOf(result.message),
      };
    case 'errored': {
      const told = anthropicErrorBody.safeParse(result.error);
      const fault = told.success ? told.data.error : undefined;
      return { outcome: 'failed', error: named(fault?.type, fault?.message) };
    }
    case 'canceled':
      return { outcome: 'cancelled' };
    case 'expired':
      return { outcome: 'expired' };
  }
}

const maxTextLength = 2000;

function named(code: string | null | undefined, message: string | null | undefined): LineResult['error'] {
  return { code: storable(code ?? 'unknown'), message: storable(message ?? '') };
}

function storable(text: string): string {
  return text.replaceAll('\u0000', '').slice(0, maxTextLength).toWellFormed();
}

const usageSchema = z.object({
  usage: z.object({
    prompt_tokens: count.optional(),
    completion_tokens: count.optional(),
    input_tokens: count.optional(),
    output_tokens: count.optional(),
    cache_creation_input_tokens: count.nullish(),
    cache_read_input_tokens: count.nullish(),
  }),
});

/** The tokens that the answer says it took, to be added up; undefined where it does not say so in whole numbers. */
function usageOf(body: unknown): BatchUsage | undefined {
  const parsed = usageSchema.safeParse(body);
  if (!parsed.success) return undefined;
  const { usage } = parsed.data;
  const input = usage.prompt_tokens ?? usage.input_tokens;
  if (input === undefined) return undefined;
  return {
    inputTokens: input + (usage.cache_creation_input_tokens ?? 0) + (usage.cache_read_input_tokens ?? 0),
    outputTokens: usage.completion_tokens ?? usage.output_tokens ?? 0,
  };
}
