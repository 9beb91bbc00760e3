import { z } from 'zod';
import { Draws, drawInteger } from './draws.ts';
import type { Answer, Endpoint } from './endpoint.ts';
import { openaiRefusal } from './openai-terms.ts';
import { vocabularyOf } from './prose.ts';
import { optionalField } from './optional-field.ts';
import { PromptMeter } from './token-counts.ts';

const maxDimensions = 1536;

const embeddingsSchema = z.object({
  model: z.string().min(1),
  input: z.union([z.string().min(1), z.array(z.string().min(1)).min(1).max(2048)]),
  encoding_format: optionalField(z.enum(['float', 'base64'])),
  dimensions: optionalField(z.int().min(1).max(maxDimensions)),
});

/** OpenAI's embeddings: vectors of unit length; texts that share words lie near each other. */
export const openaiEmbeddings: Endpoint = {
  name: 'embeddings',
  provider: 'openai',
  path: '/openai/v1/embeddings',

  parse(body, charactersPerToken) {
    const parsed = embeddingsSchema.safeParse(body);
    if (!parsed.success) return openaiRefusal(parsed.error);
    const { model, input, encoding_format, dimensions } = parsed.data;
    const inputs = typeof input === 'string' ? [input] : input;
    const meter = new PromptMeter(charactersPerToken);
    for (const text of inputs) meter.text(text);
    const request = {
      model,
      texts: meter.texts,
      subject: '',
      inputTokens: meter.tokens,
      caching: 'none',
      maxOutputTokens: undefined,
      stream: false,
      wantsUsage: true,
      effort: 'none',
      thinkingBudgetTokens: undefined,
      format: { kind: 'text' },
      tools: [],
      toolChoice: { kind: 'none' },
      mayCallInParallel: false,
      isAfterToolResult: false,
      tier: undefined,
      embeddings: { inputs, dimensions: dimensions ?? maxDimensions, encoding: encoding_format ?? 'float' },
    } as const;
    return { kind: 'request', request };
  },

  body(answer) {
    const tokens = answer.tokens.uncached_input;
    return {
      object: 'list',
      data: answer.isEmpty ? [] : dataOf(answer),
      model: answer.model.answeredId,
      ...(answer.showsUsage && { usage: { prompt_tokens: tokens, total_tokens: tokens } }),
    };
  },

  frames() {
    return [];
  },
};

function dataOf({ request, seed }: Answer): unknown[] {
  const { inputs = [], dimensions = maxDimensions, encoding = 'float' } = request.embeddings ?? {};
  return inputs.map((text, index) => {
    const vector = vectorOf(text, dimensions, seed);
    const embedding =
      encoding === 'float' ? Array.from(vector, (value) => Number(value.toFixed(8))) : base64Of(vector);
    return { object: 'embedding', index, embedding };
  });
}

/** Each word pulls in some directions of its own; a little noise of the whole text keeps two texts apart. */
function vectorOf(text: string, dimensions: number, seed: number): Float32Array {
  const noise = new Draws(seed, text).stream('noise');
  const vector = Float32Array.from({ length: dimensions }, () => (noise() - 0.5) * 0.02);
  for (const word of vocabularyOf(text)) {
    const random = new Draws(seed, word).stream('word');
    for (let pull = 0; pull < 16; pull += 1) {
      const at = drawInteger(random, 0, dimensions - 1);
      vector[at] = (vector[at] ?? 0) + random() - 0.5;
    }
  }
  const length = Math.hypot(...vector);
  return length === 0 ? vector : vector.map((value) => value / length);
}

function base64Of(vector: Float32Array): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64');
}
