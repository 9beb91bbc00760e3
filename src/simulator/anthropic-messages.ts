import { z } from 'zod';
import type { Answer, Endpoint, ModelRequest, ToolChoice } from './endpoint.ts';
import { refusalsOf } from './provider-errors.ts';
import { faultsOf } from './simulator-config.ts';
import { sseFrame, textPieces } from './sse.ts';
import { optionalField } from './optional-field.ts';
import { PromptMeter } from './token-counts.ts';

const jsonSchema = z.record(z.string(), z.unknown());
const cacheControl = optionalField(
  z.object({ type: z.literal('ephemeral'), ttl: z.enum(['5m', '1h']).optional() }),
);
const textBlocks = z.array(z.looseObject({ type: z.string(), text: z.string().optional() }));
const blockSchema = z.looseObject({
  type: z.string(),
  text: z.string().optional(),
  thinking: z.string().optional(),
  name: z.string().optional(),
  input: z.unknown().optional(),
  content: z.union([z.string(), textBlocks]).optional(),
  cache_control: cacheControl,
});
const formatSchema = z.object({ type: z.literal('json_schema'), schema: jsonSchema });

const messagesSchema = z.object({
  model: z.string().min(1),
  max_tokens: z.int().min(1),
  system: optionalField(z.union([z.string(), z.array(blockSchema)])),
  messages: z
    .array(
      z.object({ role: z.enum(['user', 'assistant']), content: z.union([z.string(), z.array(blockSchema)]) }),
    )
    .min(1),
  stream: optionalField(z.boolean()),
  thinking: optionalField(z.looseObject({ type: z.string(), budget_tokens: z.int().optional() })),
  output_config: optionalField(z.looseObject({ format: optionalField(formatSchema) })),
  output_format: optionalField(formatSchema),
  service_tier: optionalField(z.string()),
  cache_control: cacheControl,
  tools: optionalField(
    z.array(
      z.looseObject({ name: z.string(), input_schema: jsonSchema.optional(), cache_control: cacheControl }),
    ),
  ),
  tool_choice: optionalField(
    z.object({
      type: z.enum(['auto', 'any', 'tool', 'none']),
      name: z.string().optional(),
      disable_parallel_tool_use: z.boolean().optional(),
    }),
  ),
});

type MessagesBody = z.output<typeof messagesSchema>;
type Block = z.output<typeof blockSchema>;

/** Anthropic's messages. */
export const anthropicMessages: Endpoint = {
  name: 'messages',
  provider: 'anthropic',
  path: '/anthropic/v1/messages',

  parse(body, charactersPerToken) {
    const parsed = messagesSchema.safeParse(body);
    if (parsed.success) return { kind: 'request', request: requestOf(parsed.data, charactersPerToken) };
    const [fault] = faultsOf(parsed.error);
    return {
      kind: 'refused',
      refusal: refusalsOf.anthropic.invalidRequest(`${fault?.field}: ${fault?.problem}`),
    };
  },

  body(answer) {
    return {
      ...head(answer),
      content: contentBlocks(answer),
      stop_reason: stopReason(answer),
      stop_sequence: null,
      ...(answer.showsUsage && { usage: { ...inputUsage(answer), ...outputUsage(answer) } }),
    };
  },

  frames(answer) {
    const frames: string[] = [];
    const emit = (type: string, fields: Record<string, unknown>): void => {
      frames.push(sseFrame({ type, ...fields }, type));
    };
    const begun = answer.showsUsage ? { usage: { ...inputUsage(answer), output_tokens: 1 } } : {};
    emit('message_start', {
      message: { ...head(answer), content: [], stop_reason: null, stop_sequence: null, ...begun },
    });
    for (const [index, block] of contentBlocks(answer).entries()) {
      emit('content_block_start', { index, content_block: { ...block, ...unfilled[block.type] } });
      for (const delta of deltasOf(block)) emit('content_block_delta', { index, delta });
      emit('content_block_stop', { index });
    }
    emit('message_delta', {
      delta: { stop_reason: stopReason(answer), stop_sequence: null },
      ...(answer.showsUsage && { usage: { ...inputUsage(answer), ...outputUsage(answer) } }),
    });
    emit('message_stop', {});
    return frames;
  },
};

type ContentBlock =
  | { readonly type: 'thinking'; readonly thinking: string; readonly signature: string }
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'tool_use'; readonly id: string; readonly name: string; readonly input: unknown };

/** How a block looks before its content has come. */
const unfilled: Readonly<Record<ContentBlock['type'], Record<string, unknown>>> = {
  thinking: { thinking: '', signature: '' },
  text: { text: '' },
  tool_use: { input: {} },
};

function contentBlocks(answer: Answer): ContentBlock[] {
  const blocks: ContentBlock[] = [];
  if (answer.thinking !== '') {
    blocks.push({ type: 'thinking', thinking: answer.thinking, signature: `sig${answer.id}` });
  }
  for (const { id, name, arguments: text } of answer.toolCalls) {
    blocks.push({ type: 'tool_use', id: `toolu_${id}`, name, input: JSON.parse(text) as unknown });
  }
  if (answer.toolCalls.length === 0 && (answer.text !== '' || answer.finish === 'stop')) {
    blocks.push({ type: 'text', text: answer.text });
  }
  return blocks;
}

function deltasOf(block: ContentBlock): Record<string, unknown>[] {
  switch (block.type) {
    case 'text':
      return textPieces(block.text).map((text) => ({ type: 'text_delta', text }));
    case 'thinking':
      return [
        ...textPieces(block.thinking).map((thinking) => ({ type: 'thinking_delta', thinking })),
        { type: 'signature_delta', signature: block.signature },
      ];
    case 'tool_use':
      return textPieces(JSON.stringify(block.input)).map((partial_json) => ({
        type: 'input_json_delta',
        partial_json,
      }));
  }
}

function head(answer: Answer): Record<string, unknown> {
  return { id: `msg_${answer.id}`, type: 'message', role: 'assistant', model: answer.model.answeredId };
}

function stopReason({ finish }: Answer): string {
  return { stop: 'end_turn', length: 'max_tokens', tool_calls: 'tool_use' }[finish];
}

function inputUsage({ tokens, tier }: Answer): Record<string, unknown> {
  return {
    input_tokens: tokens.uncached_input,
    cache_creation_input_tokens: tokens.cache_write_5m + tokens.cache_write_1h,
    cache_read_input_tokens: tokens.cache_read,
    cache_creation: {
      ephemeral_5m_input_tokens: tokens.cache_write_5m,
      ephemeral_1h_input_tokens: tokens.cache_write_1h,
    },
    service_tier: tier,
  };
}

function outputUsage({ tokens }: Answer): Record<string, unknown> {
  return {
    output_tokens: tokens.text_output + tokens.reasoning,
    ...(tokens.reasoning > 0 && { output_tokens_details: { thinking_tokens: tokens.reasoning } }),
  };
}

function requestOf(body: MessagesBody, charactersPerToken: number): ModelRequest {
  const meter = new PromptMeter(charactersPerToken);
  const format = body.output_config?.format ?? body.output_format ?? undefined;
  const subject = measure(body, meter);
  if (format !== undefined) meter.json(format.schema);
  const lastContent = body.messages.at(-1)?.content;
  const lastBlock = typeof lastContent === 'string' ? undefined : lastContent?.at(-1);
  return {
    model: body.model,
    texts: meter.texts,
    subject,
    inputTokens: meter.tokens,
    caching: meter.breakpoints.length > 0 ? meter.breakpoints : 'none',
    maxOutputTokens: body.max_tokens,
    stream: body.stream === true,
    wantsUsage: true,
    effort: 'none',
    thinkingBudgetTokens:
      body.thinking?.type === 'enabled' ? (body.thinking.budget_tokens ?? 1024) : undefined,
    format: format === undefined ? { kind: 'text' } : { kind: 'json', schema: format.schema },
    tools: (body.tools ?? []).map((tool) => ({ name: tool.name, schema: tool.input_schema ?? {} })),
    toolChoice: toolChoiceOf(body),
    mayCallInParallel: body.tool_choice?.disable_parallel_tool_use !== true,
    isAfterToolResult: lastBlock?.type === 'tool_result',
    tier: body.service_tier ?? undefined,
    embeddings: undefined,
  };
}

/** Counts tools, system and messages in the order of Anthropic's cache prefix; returns the last text of the user. */
function measure(body: MessagesBody, meter: PromptMeter): string {
  for (const tool of body.tools ?? []) {
    meter.json(tool);
    if (tool.cache_control !== undefined) meter.breakpoint(tool.cache_control.ttl ?? '5m');
  }
  measureContent(body.system ?? [], meter);
  let subject = '';
  for (const { role, content } of body.messages) {
    meter.message();
    const before = meter.texts.length;
    measureContent(content, meter);
    if (role === 'user' && meter.texts.length > before) subject = meter.texts.slice(before).join('\n');
  }
  if (body.cache_control !== undefined) meter.breakpoint(body.cache_control.ttl ?? '5m');
  return subject;
}

function measureContent(content: string | readonly Block[], meter: PromptMeter): void {
  if (typeof content === 'string') {
    meter.text(content);
    return;
  }
  for (const block of content) {
    const text = block.text ?? block.thinking;
    if (text !== undefined) meter.text(text);
    else if (block.type === 'image' || block.type === 'document') meter.image();
    if (block.input !== undefined) meter.json(block.input);
    if (typeof block.content === 'string') meter.text(block.content);
    else for (const inner of block.content ?? []) if (inner.text !== undefined) meter.text(inner.text);
    if (block.cache_control !== undefined) meter.breakpoint(block.cache_control.ttl ?? '5m');
  }
}

function toolChoiceOf({ tool_choice: choice }: MessagesBody): ToolChoice {
  if (choice?.type === 'tool') return { kind: 'tool', name: choice.name ?? '' };
  if (choice?.type === 'any') return { kind: 'required' };
  return { kind: choice?.type === 'none' ? 'none' : 'auto' };
}
