import { type Draws, drawInteger, drawOne } from './draws.ts';
import type { Generation, ModelRequest, OfferedTool, ToolCall } from './endpoint.ts';
import { invalidInstance, type InstanceSource, jsonInstance } from './json-instance.ts';
import { prose, vocabularyOf } from './prose.ts';
import type { FaultName, SimulatorConfig } from './simulator-config.ts';
import type { BilledTokens, SimulatedModel } from './simulator-prices.ts';
import { inputTokensByClass, tokensOfText } from './token-counts.ts';

/*
 * What the model says. First it is decided whether a tool is called; otherwise it is JSON where a schema was given, or
 * prose about the prompt. Thinking is counted first and leaves the rest of the output limit to the text, so a tight
 * limit yields cut or empty text that is billed, as with the real providers.
 */

export interface GenerationTask {
  readonly request: ModelRequest;
  readonly model: SimulatedModel;
  readonly draws: Draws;
  readonly fault: FaultName | undefined;
  readonly config: SimulatorConfig;
}

interface Content {
  readonly text: string;
  readonly toolCalls: readonly ToolCall[];
}

/** Generates the answer to a request. The same task yields the same generation. */
export function generate(task: GenerationTask): Generation {
  const { request, model, draws, fault, config } = task;
  const input = inputTokensByClass(request, model, draws.stream('cache'));
  const nothing = { text: '', thinking: '', toolCalls: [], finish: 'stop' } as const;
  if (request.embeddings !== undefined)
    return { ...nothing, tokens: { ...input, text_output: 0, reasoning: 0 } };

  const limit = Math.min(request.maxOutputTokens ?? model.maxOutputTokens, model.maxOutputTokens);
  const reasoning = Math.min(reasoningTokens(task), limit);
  const tokens = (text_output: number): BilledTokens => ({ ...input, text_output, reasoning });
  if (fault === 'empty') return { ...nothing, tokens: tokens(Math.min(1, limit - reasoning)) };

  const source: InstanceSource = {
    random: draws.stream('content'),
    vocabulary: vocabularyOf(request.subject),
    hasNul: fault === 'nul_text',
  };
  const thinking =
    request.thinkingBudgetTokens === undefined
      ? ''
      : prose(source.vocabulary, draws.stream('thinking'), reasoning * config.charactersPerToken).slice(
          0,
          reasoning * config.charactersPerToken,
        );
  const room = limit - reasoning;
  const content = contentOf(task, source);
  const wanted = outputTokens(content, config.charactersPerToken);
  if (wanted <= room) {
    const finish = content.toolCalls.length > 0 ? 'tool_calls' : 'stop';
    return { ...content, thinking, finish, tokens: tokens(wanted) };
  }
  // A call that does not fit is not begun; text breaks off where the limit is reached.
  const text = content.text.slice(0, Math.floor(room * config.charactersPerToken));
  return { text, thinking, toolCalls: [], finish: 'length', tokens: tokens(room) };
}

function contentOf(task: GenerationTask, source: InstanceSource): Content {
  const { request, draws, fault, config } = task;
  const tools = chosenTools(task);
  if (tools.length > 0) {
    const toolCalls = tools.map((tool, index) => ({
      id: callId(draws, index),
      name: tool.name,
      arguments: JSON.stringify(
        fault === 'bad_json' ? invalidArguments(tool, source) : jsonInstance(tool.schema, source),
      ),
    }));
    return { text: '', toolCalls };
  }
  if (request.format.kind === 'json') {
    const { schema = { type: 'object', properties: { answer: { type: 'string' } } } } = request.format;
    const value = fault === 'bad_json' ? invalidInstance(schema, source) : jsonInstance(schema, source);
    return { text: JSON.stringify(value), toolCalls: [] };
  }
  const length = drawInteger(
    source.random,
    config.answer.minTokens,
    Math.max(config.answer.minTokens, config.answer.maxTokens),
  );
  const text = prose(source.vocabulary, source.random, length * config.charactersPerToken - 60);
  return { text: source.hasNul ? `${text.slice(0, 10)}\u0000${text.slice(10)}` : text, toolCalls: [] };
}

/** The arguments of a tool call are an object whatever else is wrong with them. */
function invalidArguments(tool: OfferedTool, source: InstanceSource): unknown {
  const value = invalidInstance(tool.schema, source);
  return typeof value === 'object' ? value : { unexpected: value };
}

/** The tools that the model calls now; none when it answers. Left to choose, it answers after a tool's result. */
function chosenTools({ request, draws, config }: GenerationTask): readonly OfferedTool[] {
  const { tools, toolChoice } = request;
  if (tools.length === 0 || toolChoice.kind === 'none') return [];
  if (toolChoice.kind === 'tool') return tools.filter(({ name }) => name === toolChoice.name).slice(0, 1);
  const random = draws.stream('tools');
  // The AI SDK's stand-in for structured output: a required tool named json is the answer itself.
  const answering = toolChoice.kind === 'required' ? tools.find(({ name }) => name === 'json') : undefined;
  if (request.isAfterToolResult && answering !== undefined) return [answering];
  if (request.isAfterToolResult && toolChoice.kind === 'auto') return [];
  if (toolChoice.kind === 'auto' && random() >= config.toolCallProbability) return [];
  const first = drawOne(random, tools);
  const others = tools.filter((tool) => tool !== first && tool !== answering);
  const second =
    request.mayCallInParallel && first !== answering && random() < 0.25 ? drawOne(random, others) : undefined;
  return [first, second].filter((tool) => tool !== undefined);
}

/** In steps of 64, as OpenAI reports it; or what a thinking budget allows. */
function reasoningTokens({ request, model, draws }: GenerationTask): number {
  const random = draws.stream('reasoning');
  const budget = request.thinkingBudgetTokens;
  if (budget !== undefined) return Math.max(1, Math.floor(budget * (0.05 + 0.4 * random())));
  if (!model.isReasoning) return 0;
  const most = { none: 0, minimal: 0, low: 3, medium: 8, high: 24 }[request.effort];
  return 64 * drawInteger(random, Math.floor(most / 8), most);
}

function outputTokens({ text, toolCalls }: Content, charactersPerToken: number): number {
  let tokens = tokensOfText(text, charactersPerToken);
  for (const call of toolCalls) tokens += 8 + tokensOfText(call.name + call.arguments, charactersPerToken);
  return Math.max(1, tokens);
}

function callId(draws: Draws, index: number): string {
  const random = draws.stream(`call:${index}`);
  return Array.from({ length: 24 }, () => drawInteger(random, 0, 35).toString(36)).join('');
}
