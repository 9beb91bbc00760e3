import type { LanguageModelV4StreamPart } from '@ai-sdk/provider';

/** A stream of parts that are all there. */
export function streamOf(
  parts: readonly LanguageModelV4StreamPart[],
): ReadableStream<LanguageModelV4StreamPart> {
  return new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(part);
      controller.close();
    },
  });
}

/** A stream that fails at once. */
export function failedStream(error: unknown): ReadableStream<LanguageModelV4StreamPart> {
  return new ReadableStream({ start: (controller) => controller.error(error) });
}
