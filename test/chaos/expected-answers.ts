import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { generateText, type LanguageModel } from 'ai';
import type { SimulatorServer } from '../support/simulator-server.ts';
import type { ExpectedAnswer, ExpectedItem } from './batch-evidence.ts';
import {
  type PlannedBatch,
  type PlannedItem,
  promptOfReply,
  promptOfSort,
  replyQuestion,
  sortQuestion,
} from './batch-workload.ts';

/*
 * What the provider answers to the questions of each item, asked by the AI SDK alone when the run is over: a provider of a run with batches
 * answers a question in the same words however often it is asked.
 */

const askedAtOnce = 12;
const marker = 'expected/';

interface Asked {
  readonly id: string;
  readonly model: LanguageModel;
  readonly prompt: string;
  readonly maxOutputTokens: number;
}

/** The answers to all items that the provider does not refuse. `odd`: items of which an answer to the first question had U+0000 in it. */
export async function expectedAnswers(
  simulator: SimulatorServer,
  batches: readonly PlannedBatch[],
  odd: ReadonlySet<string>,
): Promise<Readonly<Record<string, ExpectedItem>>> {
  const openai = createOpenAI({ apiKey: 'simulated', baseURL: `${simulator.url}/openai/v1` });
  const anthropic = createAnthropic({ apiKey: 'simulated', baseURL: `${simulator.url}/anthropic/v1` });
  const sorter = { model: openai(sortQuestion.model), maxOutputTokens: sortQuestion.maxOutputTokens };
  const replier = { model: anthropic(replyQuestion.model), maxOutputTokens: replyQuestion.maxOutputTokens };
  const items = batches.flatMap((batch) => batch.items).filter(({ fate }) => fate === 'sound');
  const said = new Map<string, { readonly sort: string; readonly replies: readonly string[] }>();
  await withEach(items, async (item: PlannedItem) => {
    const sort = await ask({ ...sorter, id: `${item.id}/sort`, prompt: promptOfSort(item) });
    const replies: string[] = [];
    for (const [at, text] of seenTexts(sort, odd.has(item.id)).entries()) {
      const prompt = promptOfReply({ key: item.key, text });
      replies.push(await ask({ ...replier, id: `${item.id}/reply/${at}`, prompt }));
    }
    said.set(item.id, { sort, replies });
  });
  const billed = new Map((await simulator.readBill()).map((entry) => [entry.callId, entry]));
  const answerOf = (text: string, id: string): ExpectedAnswer => {
    const entry = billed.get(marker + id);
    if (entry === undefined) throw new Error(`The provider has not billed ${id}`);
    return { texts: seenTexts(text, true), costUsd: entry.costUsd, requestHash: entry.requestHash };
  };
  return Object.fromEntries(
    [...said].map(([id, { sort, replies }]) => [
      id,
      {
        sort: answerOf(sort, `${id}/sort`),
        replies: replies.map((text, at) => answerOf(text, `${id}/reply/${at}`)),
      },
    ]),
  );
}

async function ask({ id, ...question }: Asked): Promise<string> {
  const { text } = await generateText({ ...question, headers: { 'x-millrace-call-id': `${marker}${id}` } });
  return text;
}

/** An answer as a handler is given it, also where the provider put U+0000 into it. */
function seenTexts(text: string, isOdd: boolean): readonly string[] {
  return isOdd ? [text, `${text.slice(0, 10)}\u0000${text.slice(10)}`] : [text];
}

async function withEach<Item>(items: readonly Item[], act: (item: Item) => Promise<void>): Promise<void> {
  const left = items.values();
  await Promise.all(
    Array.from({ length: askedAtOnce }, async () => {
      for (const item of left) await act(item);
    }),
  );
}
