import { z } from 'zod';
import type { Answer, Endpoint, JsonSchema, ModelRequest, ToolChoice } from './endpoint.ts';
import { effortSchema, openaiRefusal, openaiUsageParts, toolChoiceSchema } from './openai-terms.ts';
import { sseDone, sseFrame, textPieces } from './sse.ts';
import { optionalField } from './optional-field.ts';
import { PromptMeter } from './token-counts.ts';

const jsonSchema = z.record(z.string(), z.unknown());

const chatSchema = z.object({
  model: z.string().min(1),
  messages: z
    .array(
      z.object({
        role: z.enum(['system', 'developer', 'user', 'assistant', 'tool']),
        content: optionalField(
          z.union([z.string(), z.array(z.looseObject({ type: z.string(), text: z.string().optional() }))]),
        ),
        tool_calls: optionalField(
          z.array(z.object({ function: z.object({ name: z.string(), arguments: z.string() }) })),
        ),
      }),
    )
    .min(1),
  stream: optionalField(z.boolean()),
  stream_options: optionalField(z.object({ include_usage: optionalField(z.boolean()) })),
  n: optionalField(z.literal(1)),
  max_tokens: optionalField(z.int().min(1)),
  max_completion_tokens: optionalField(z.int().min(1)),
  reasoning_effort: optionalField(effortSchema),
  service_tier: optionalField(z.string()),
  parallel_tool_calls: optionalField(z.boolean()),
  response_format: optionalField(
    z.union([
      z.object({ type: z.literal('json_schema'), json_schema: z.object({ schema: jsonSchema.optional() }) }),
      z.object({ type: z.enum(['json_object', 'text']) }),
    ]),
  ),
  tools: optionalField(
    z.array(
      z.object({
        type: z.literal('function'),
        function: z.object({ name: z.string(), parameters: jsonSchema.optional() }),
      }),
    ),
  ),
  tool_choice: optionalField(
    z.union([
      toolChoiceSchema,
      z.object({ type: z.literal('function'), function: z.object({ name: z.string() }) }),
    ]),
  ),
});

type ChatBody = z.output<typeof chatSchema>;

/** OpenAI's chat completions. */
export const openaiChat: Endpoint = {
  name: 'chat.completions',
  provider: 'openai',
  path: '/openai/v1/chat/completions',

  parse(body, charactersPerToken) {
    const parsed = chatSchema.safeParse(body);
    if (!parsed.success) return openaiRefusal(parsed.error);
    return { kind: 'request', request: requestOf(parsed.data, charactersPerToken) };
  },

  body(answer) {
    const message = {
      role: 'assistant',
      content: answer.toolCalls.length > 0 ? null : answer.text,
      refusal: null,
      annotations: [],
      ...(answer.toolCalls.length > 0 && { tool_calls: toolCallsOf(answer) }),
    };
    return {
      ...head(answer, 'chat.completion'),
      choices: [{ index: 0, message, logprobs: null, finish_reason: answer.finish }],
      service_tier: answer.tier,
      system_fingerprint: null,
      ...(answer.showsUsage && { usage: usageOf(answer) }),
    };
  },

  frames(answer) {
    const base = {
      ...head(answer, 'chat.completion.chunk'),
      service_tier: answer.tier,
      system_fingerprint: null,
    };
    // With include_usage every chunk but the last carries usage: null.
    const usage = answer.showsUsage ? { usage: null } : {};
    const chunk = (delta: unknown, finish_reason: string | null = null): string =>
      sseFrame({ ...base, choices: [{ index: 0, delta, logprobs: null, finish_reason }], ...usage });
    const frames = [
      chunk({ role: 'assistant', content: answer.toolCalls.length > 0 ? null : '', refusal: null }),
    ];
    for (const piece of textPieces(answer.text)) frames.push(chunk({ content: piece }));
    for (const [index, call] of toolCallsOf(answer).entries()) {
      frames.push(
        chunk({ tool_calls: [{ ...call, index, function: { name: call.function.name, arguments: '' } }] }),
      );
      for (const piece of textPieces(call.function.arguments)) {
        frames.push(chunk({ tool_calls: [{ index, function: { arguments: piece } }] }));
      }
    }
    frames.push(chunk({}, answer.finish));
    if (answer.showsUsage) frames.push(sseFrame({ ...base, choices: [], usage: usageOf(answer) }));
    frames.push(sseDone);
    return frames;
  },
};

function head(answer: Answer, object: string): Record<string, unknown> {
  return {
    id: `chatcmpl-${answer.id}`,
    object,
    created: Math.floor(answer.at.getTime() / 1000),
    model: answer.model.answeredId,
  };
}

function toolCallsOf({
  toolCalls,
}: Answer): { id: string; type: 'function'; function: { name: string; arguments: string } }[] {
  return toolCalls.map((call) => ({
    id: `call_${call.id}`,
    type: 'function',
    function: { name: call.name, arguments: call.arguments },
  }));
}

function usageOf(answer: Answer): unknown {
  const { input, cached, output, reasoning } = openaiUsageParts(answer.tokens);
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    prompt_tokens_details: { cached_tokens: cached, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: reasoning,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}

function requestOf(body: ChatBody, charactersPerToken: number): ModelRequest {
  const meter = new PromptMeter(charactersPerToken);
  let subject = '';
  for (const message of body.messages) {
    meter.message();
    const before = meter.texts.length;
    if (typeof message.content === 'string') meter.text(message.content);
    for (const part of Array.isArray(message.content) ? message.content : []) {
      if (part.text === undefined) meter.image();
      else meter.text(part.text);
    }
    for (const call of message.tool_calls ?? []) meter.text(call.function.name + call.function.arguments);
    if (message.role === 'user') subject = meter.texts.slice(before).join('\n');
  }
  const tools = (body.tools ?? []).map(({ function: tool }) => ({
    name: tool.name,
    schema: tool.parameters ?? {},
  }));
  if (tools.length > 0) meter.json(body.tools);
  const format = formatOf(body);
  if (format.kind === 'json' && format.schema !== undefined) meter.json(format.schema);
  return {
    model: body.model,
    texts: meter.texts,
    subject,
    inputTokens: meter.tokens,
    caching: 'automatic',
    maxOutputTokens: body.max_completion_tokens ?? body.max_tokens ?? undefined,
    stream: body.stream === true,
    wantsUsage: body.stream !== true || body.stream_options?.include_usage === true,
    effort: body.reasoning_effort ?? 'medium',
    thinkingBudgetTokens: undefined,
    format,
    tools,
    toolChoice: toolChoiceOf(body),
    mayCallInParallel: body.parallel_tool_calls !== false,
    isAfterToolResult: body.messages.at(-1)?.role === 'tool',
    tier: body.service_tier ?? undefined,
    embeddings: undefined,
  };
}

function formatOf({ response_format: format }: ChatBody): ModelRequest['format'] {
  if (format === undefined || format.type === 'text') return { kind: 'text' };
  const schema: JsonSchema | undefined =
    format.type === 'json_schema' ? format.json_schema.schema : undefined;
  return { kind: 'json', schema };
}

function toolChoiceOf({ tool_choice: choice }: ChatBody): ToolChoice {
  if (choice === undefined) return { kind: 'auto' };
  return typeof choice === 'string' ? { kind: choice } : { kind: 'tool', name: choice.function.name };
}
