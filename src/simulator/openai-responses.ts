import { z } from 'zod';
import type { Answer, Endpoint, ModelRequest, ToolChoice } from './endpoint.ts';
import { effortSchema, openaiRefusal, openaiUsageParts, toolChoiceSchema } from './openai-terms.ts';
import { sseFrame, textPieces } from './sse.ts';
import { optionalField } from './optional-field.ts';
import { PromptMeter } from './token-counts.ts';

const jsonSchema = z.record(z.string(), z.unknown());

const partsSchema = z.union([
  z.string(),
  z.array(z.looseObject({ type: z.string(), text: z.string().optional() })),
]);

const responsesSchema = z.object({
  model: z.string().min(1),
  instructions: optionalField(z.string()),
  input: z.union([
    z.string(),
    z
      .array(
        z.looseObject({
          type: z.string().optional(),
          role: z.string().optional(),
          content: optionalField(partsSchema),
          name: z.string().optional(),
          arguments: z.string().optional(),
          output: partsSchema.optional(),
        }),
      )
      .min(1),
  ]),
  stream: optionalField(z.boolean()),
  max_output_tokens: optionalField(z.int().min(1)),
  reasoning: optionalField(z.object({ effort: optionalField(effortSchema) })),
  service_tier: optionalField(z.string()),
  parallel_tool_calls: optionalField(z.boolean()),
  text: optionalField(
    z.object({
      format: optionalField(
        z.union([
          z.object({ type: z.literal('json_schema'), schema: jsonSchema }),
          z.object({ type: z.enum(['json_object', 'text']) }),
        ]),
      ),
    }),
  ),
  tools: optionalField(
    z.array(
      z.object({ type: z.literal('function'), name: z.string(), parameters: optionalField(jsonSchema) }),
    ),
  ),
  tool_choice: optionalField(
    z.union([toolChoiceSchema, z.object({ type: z.literal('function'), name: z.string() })]),
  ),
});

type ResponsesBody = z.output<typeof responsesSchema>;

interface OutputItem {
  readonly type: 'reasoning' | 'message' | 'function_call';
  readonly id: string;
  readonly [field: string]: unknown;
}

/** OpenAI's responses. */
export const openaiResponses: Endpoint = {
  name: 'responses',
  provider: 'openai',
  path: '/openai/v1/responses',

  parse(body, charactersPerToken) {
    const parsed = responsesSchema.safeParse(body);
    if (!parsed.success) return openaiRefusal(parsed.error);
    return { kind: 'request', request: requestOf(parsed.data, charactersPerToken) };
  },

  body(answer) {
    return finished(answer);
  },

  frames(answer) {
    let sequence = 0;
    const frames: string[] = [];
    const emit = (type: string, fields: Record<string, unknown>): void => {
      frames.push(sseFrame({ type, sequence_number: sequence, ...fields }, type));
      sequence += 1;
    };
    const begun = { ...head(answer), status: 'in_progress', output: [] };
    emit('response.created', { response: begun });
    emit('response.in_progress', { response: begun });
    for (const [output_index, item] of outputItems(answer).entries()) {
      emit('response.output_item.added', { output_index, item: { ...item, ...unfilled[item.type] } });
      if (item.type === 'message')
        emitText(emit, answer.text, { item_id: item.id, output_index, content_index: 0 });
      if (item.type === 'function_call')
        emitArguments(emit, String(item['arguments']), { item_id: item.id, output_index });
      emit('response.output_item.done', { output_index, item });
    }
    const response = finished(answer);
    emit(answer.finish === 'length' ? 'response.incomplete' : 'response.completed', { response });
    return frames;
  },
};

/** How an item looks before its content has come. */
const unfilled: Readonly<Record<OutputItem['type'], Record<string, unknown>>> = {
  reasoning: {},
  message: { status: 'in_progress', content: [] },
  function_call: { status: 'in_progress', arguments: '' },
};

type Emit = (type: string, fields: Record<string, unknown>) => void;

function emitText(emit: Emit, text: string, at: Record<string, unknown>): void {
  emit('response.content_part.added', {
    ...at,
    part: { type: 'output_text', text: '', annotations: [], logprobs: [] },
  });
  for (const delta of textPieces(text)) emit('response.output_text.delta', { ...at, delta, logprobs: [] });
  emit('response.output_text.done', { ...at, text, logprobs: [] });
  emit('response.content_part.done', {
    ...at,
    part: { type: 'output_text', text, annotations: [], logprobs: [] },
  });
}

function emitArguments(emit: Emit, text: string, at: Record<string, unknown>): void {
  for (const delta of textPieces(text)) emit('response.function_call_arguments.delta', { ...at, delta });
  emit('response.function_call_arguments.done', { ...at, arguments: text });
}

function head(answer: Answer): Record<string, unknown> {
  return {
    id: `resp_${answer.id}`,
    object: 'response',
    created_at: Math.floor(answer.at.getTime() / 1000),
    model: answer.model.answeredId,
    service_tier: answer.tier,
    error: null,
    incomplete_details: null,
    instructions: null,
    max_output_tokens: answer.request.maxOutputTokens ?? null,
    metadata: {},
  };
}

function finished(answer: Answer): unknown {
  const isCut = answer.finish === 'length';
  return {
    ...head(answer),
    status: isCut ? 'incomplete' : 'completed',
    ...(isCut && { incomplete_details: { reason: 'max_output_tokens' } }),
    output: outputItems(answer),
    ...(answer.showsUsage && { usage: usageOf(answer) }),
  };
}

function outputItems(answer: Answer): OutputItem[] {
  const items: OutputItem[] = [];
  if (answer.tokens.reasoning > 0) items.push({ type: 'reasoning', id: `rs_${answer.id}`, summary: [] });
  for (const [index, call] of answer.toolCalls.entries()) {
    items.push({
      type: 'function_call',
      id: `fc_${answer.id}${index}`,
      status: 'completed',
      call_id: `call_${call.id}`,
      name: call.name,
      arguments: call.arguments,
    });
  }
  // A response that ran out of tokens while it was thinking has no message at all.
  const hasMessage = answer.toolCalls.length === 0 && (answer.text !== '' || answer.finish === 'stop');
  if (hasMessage) {
    items.push({
      type: 'message',
      id: `msg_${answer.id}`,
      status: answer.finish === 'length' ? 'incomplete' : 'completed',
      role: 'assistant',
      content: [{ type: 'output_text', text: answer.text, annotations: [], logprobs: [] }],
    });
  }
  return items;
}

function usageOf(answer: Answer): unknown {
  const { input, cached, output, reasoning } = openaiUsageParts(answer.tokens);
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: cached },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: reasoning },
    total_tokens: input + output,
  };
}

function requestOf(body: ResponsesBody, charactersPerToken: number): ModelRequest {
  const meter = new PromptMeter(charactersPerToken);
  const subject = measure(body, meter);
  const tools = (body.tools ?? []).map((tool) => ({ name: tool.name, schema: tool.parameters ?? {} }));
  if (tools.length > 0) meter.json(body.tools);
  const textFormat = body.text?.format;
  const schema = textFormat?.type === 'json_schema' ? textFormat.schema : undefined;
  if (schema !== undefined) meter.json(schema);
  const last = typeof body.input === 'string' ? undefined : body.input.at(-1);
  return {
    model: body.model,
    texts: meter.texts,
    subject,
    inputTokens: meter.tokens,
    caching: 'automatic',
    maxOutputTokens: body.max_output_tokens ?? undefined,
    stream: body.stream === true,
    wantsUsage: true,
    effort: body.reasoning?.effort ?? 'medium',
    thinkingBudgetTokens: undefined,
    format:
      textFormat === undefined || textFormat.type === 'text' ? { kind: 'text' } : { kind: 'json', schema },
    tools,
    toolChoice: toolChoiceOf(body),
    mayCallInParallel: body.parallel_tool_calls !== false,
    isAfterToolResult: last?.type === 'function_call_output',
    tier: body.service_tier ?? undefined,
    embeddings: undefined,
  };
}

/** Counts the prompt and returns the last text of the user. */
function measure(body: ResponsesBody, meter: PromptMeter): string {
  if (body.instructions !== undefined) meter.text(body.instructions);
  if (typeof body.input === 'string') {
    meter.text(body.input);
    return body.input;
  }
  let subject = '';
  for (const item of body.input) {
    meter.message();
    const before = meter.texts.length;
    for (const parts of [item.content, item.output]) {
      if (typeof parts === 'string') meter.text(parts);
      for (const part of Array.isArray(parts) ? parts : []) {
        if (part.text === undefined) meter.image();
        else meter.text(part.text);
      }
    }
    if (item.arguments !== undefined) meter.text(`${item.name ?? ''}${item.arguments}`);
    if (item.role === 'user') subject = meter.texts.slice(before).join('\n');
  }
  return subject;
}

function toolChoiceOf({ tool_choice: choice }: ResponsesBody): ToolChoice {
  if (choice === undefined) return { kind: 'auto' };
  return typeof choice === 'string' ? { kind: choice } : { kind: 'tool', name: choice.name };
}
