import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeEmbeddingAnswer,
  decodeLanguageAnswer,
  encodeEmbeddingAnswer,
  encodeLanguageAnswer,
  type LanguageAnswer,
  streamPartsOfAnswer,
} from './recorded-answer.ts';
import { StreamContent } from './stream-content.ts';

const answer: LanguageAnswer = {
  content: [
    { type: 'reasoning', text: 'Hm.', providerMetadata: { anthropic: { signature: 'abc' } } },
    { type: 'text', text: 'See\u0000 \ud83d\ude00' },
    { type: 'tool-call', toolCallId: 'c1', toolName: 'search', input: '{"q":"x"}' },
    { type: 'file', mediaType: 'image/png', data: { type: 'data', data: new Uint8Array([1, 2, 255]) } },
    { type: 'file', mediaType: 'image/png', data: { type: 'data', data: 'aGk=' } },
    { type: 'file', mediaType: 'image/png', data: { type: 'url', url: new URL('https://a.example/x.png') } },
    { type: 'source', sourceType: 'url', id: 's1', url: 'https://a.example' },
  ],
  finishReason: { unified: 'tool-calls', raw: 'tool_use' },
  usage: {
    inputTokens: { total: 5, noCache: 5, cacheRead: 0, cacheWrite: 0 },
    outputTokens: { total: 7, text: 7, reasoning: 0 },
    raw: { input_tokens: 5, output_tokens: 7 },
  },
  warnings: [{ type: 'other', message: 'careful' }],
  response: { id: 'r1', modelId: 'm', timestamp: new Date('2026-05-01T12:00:00.123Z') },
  providerMetadata: { anthropic: { stopSequence: null } },
};

describe("a language model's answer", () => {
  it('comes back as it was', () => {
    expect(decodeLanguageAnswer(encodeLanguageAnswer(answer))).toEqual(answer);
  });

  it('is text that every store takes', () => {
    const stored = encodeLanguageAnswer({ ...answer, content: [{ type: 'text', text: '\u0000\ud800' }] });
    expect(stored).not.toContain('\u0000');
    expect(stored.isWellFormed()).toBe(true);
    expect(decodeLanguageAnswer(stored).content).toEqual([{ type: 'text', text: '\u0000\ud800' }]);
  });

  it('given as a stream puts itself together again', () => {
    const content = new StreamContent();
    for (const part of streamPartsOfAnswer(answer)) content.add(part);
    expect(content.content).toEqual(answer.content);
    expect(content.warnings).toEqual(answer.warnings);
    expect(content.response).toEqual(answer.response);
    expect(content.unfinishedText).toBe('');
  });

  it('given as a stream shows the text that a structured answer is parsed from, without the drafts', () => {
    const parts = streamPartsOfAnswer({
      ...answer,
      content: [
        { type: 'text', text: 'draft' },
        { type: 'text', text: '{}' },
      ],
      structuredOutputText: '{}',
    });
    const texts = parts.flatMap((part) => (part.type === 'text-delta' ? [part.delta] : []));
    expect(texts).toEqual(['{}']);
  });

  it('is not taken for an embedding', () => {
    expect(() => decodeEmbeddingAnswer(encodeLanguageAnswer(answer))).toThrow(/embedding model's/);
  });
});

describe('vectors', () => {
  const vectors = fc.array(fc.array(fc.double({ noNaN: true }), { maxLength: 20 }), { maxLength: 5 });

  it('come back bit by bit, in either precision', () => {
    fc.assert(
      fc.property(vectors, fc.boolean(), (doubles, isSingle) => {
        const embeddings = isSingle
          ? doubles.map((vector) => vector.map((value) => Math.fround(value)))
          : doubles;
        const stored = encodeEmbeddingAnswer({ embeddings, warnings: [], usage: { tokens: 3 } });
        expect(decodeEmbeddingAnswer(stored)).toEqual({ embeddings, warnings: [], usage: { tokens: 3 } });
      }),
    );
  });

  it('are kept in single precision where that loses nothing', () => {
    const single = encodeEmbeddingAnswer({ embeddings: [[0.5, -1]], warnings: [] });
    const double = encodeEmbeddingAnswer({ embeddings: [[0.1, -1]], warnings: [] });
    expect(single.length).toBeLessThan(double.length);
  });
});
