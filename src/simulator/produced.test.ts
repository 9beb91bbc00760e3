import { describe, expect, it } from 'vitest';
import { producedTokens } from './produced.ts';
import { sseFrame } from './sse.ts';

const tokens = {
  uncached_input: 100,
  cache_read: 20,
  cache_write_5m: 0,
  cache_write_1h: 0,
  text_output: 9,
  reasoning: 50,
};
const text = 'sixteen letters.';

describe('what was produced of a stream that was broken off', () => {
  it.each([
    ['a response', sseFrame({ type: 'response.output_text.delta', delta: text, item_id: 'msg_1' })],
    ['arguments of a response', sseFrame({ type: 'response.function_call_arguments.delta', delta: text })],
    ['a chat', sseFrame({ choices: [{ index: 0, delta: { role: 'assistant', content: text } }] })],
    [
      'arguments of a chat',
      sseFrame({ choices: [{ delta: { tool_calls: [{ id: 'call_1', function: { arguments: text } }] } }] }),
    ],
    ['a message', sseFrame({ type: 'content_block_delta', delta: { type: 'text_delta', text } }, 'x')],
    [
      'arguments of a message',
      sseFrame({ delta: { type: 'input_json_delta', partial_json: text } }, 'content_block_delta'),
    ],
  ])('is the prompt, the thinking and the output in the frames of %s', (_, frame) => {
    expect(producedTokens(tokens, [frame, frame], 4)).toEqual({ ...tokens, text_output: 8 });
  });

  it('is no output before the first delta, nor for a text that is told again at its end', () => {
    const frames = [
      sseFrame({ type: 'response.created', response: { id: 'resp_1', output: [] } }),
      sseFrame({ type: 'response.output_text.done', text }),
      sseFrame({ delta: { type: 'thinking_delta', thinking: text } }),
      'data: [DONE]\n\n',
    ];
    expect(producedTokens(tokens, frames, 4)).toEqual({ ...tokens, text_output: 0 });
  });

  it('is never more than the whole answer', () => {
    const frame = sseFrame({ delta: text.repeat(10) });
    expect(producedTokens(tokens, [frame], 4)).toEqual(tokens);
  });
});
