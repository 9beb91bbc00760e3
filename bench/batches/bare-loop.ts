import { createReadStream, createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { once } from 'node:events';
import { join } from 'node:path';
import { generateText } from 'ai';
import { firstPrompt, type Letter, maxOutputTokens, plainModel, secondPrompt } from './asked-models.ts';
import type { BatchBenchOptions, Work } from './orders.ts';

/**
 * What somebody would write who has no use for any of it: a loop over the lines, so many at once, two calls each, a line of output.
 * Whatever goes wrong ends it.
 */
export async function bareLoop(
  { directory, concurrency, simulatorUrl }: BatchBenchOptions,
  { input, items }: Work,
): Promise<void> {
  const model = plainModel(simulatorUrl);
  const output = createWriteStream(join(directory, 'loop-output.jsonl'));
  const lines = createInterface({ input: createReadStream(input) })[Symbol.asyncIterator]();
  let written = 0;
  const ask = async (prompt: string): Promise<string> =>
    (await generateText({ model, prompt, maxOutputTokens, maxRetries: 0 })).text;
  const worker = async (): Promise<void> => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done === true) return;
      const { id, data } = JSON.parse(value) as { readonly id: string; readonly data: Letter };
      const topic = await ask(firstPrompt(data));
      const text = await ask(secondPrompt(topic));
      const isBelow = output.write(`${JSON.stringify({ id, outputs: [{ subject: data.subject, text }] })}\n`);
      if (!isBelow) await once(output, 'drain');
      written += 1;
    }
  };
  output.setMaxListeners(concurrency + 10);
  await Promise.all(Array.from({ length: concurrency }, worker));
  output.end();
  await once(output, 'finish');
  if (written !== items) throw new Error(`the loop has written ${written} of ${items} items`);
}
