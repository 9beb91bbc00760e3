import { z } from 'zod';
import type { Endpoint } from '../endpoint.ts';
import { openaiChat } from '../openai-chat.ts';
import { openaiEmbeddings } from '../openai-embeddings.ts';
import { openaiResponses } from '../openai-responses.ts';
import { parsedJson } from '../parsed-json.ts';
import { findSimulatedModel } from '../simulator-prices.ts';
import type { BatchConfig } from './batch-config.ts';
import type { BatchProblem } from './batch-records.ts';

/** One request of a batch. */
export interface BatchItem {
  readonly customId: string;
  readonly body: unknown;
}

/** Where a batch's requests go, by OpenAI's path. */
export const batchEndpoints: ReadonlyMap<string, Endpoint> = new Map(
  [openaiChat, openaiResponses, openaiEmbeddings].map((endpoint) => [
    endpoint.path.slice('/openai'.length),
    endpoint,
  ]),
);

const openaiLine = z.object({
  custom_id: z.string().min(1).max(512),
  method: z.literal('POST'),
  url: z.string(),
  body: z.looseObject({ model: z.string().min(1) }),
});

const anthropicLine = z.object({ custom_id: z.string(), params: z.unknown() });

const maxProblems = 20;

/** What OpenAI finds when it looks through the file of a batch. */
export interface LookedThrough {
  readonly requests: number;
  readonly model: string | null;
  readonly inputTokens: number;
  readonly problems: BatchProblem[];
}

/** Looks the file through, as OpenAI does after the batch was created. */
export function lookThrough(
  content: Buffer,
  url: string,
  config: Pick<BatchConfig, 'maxRequestsPerFile'>,
  charactersPerToken: number,
): LookedThrough {
  const endpoint = batchEndpoints.get(url);
  const problems: BatchProblem[] = [];
  const note = (code: string, line: number | null, message: string, param: string | null = null): void => {
    if (problems.length < maxProblems) problems.push({ code, line, message, param });
  };
  const seen = new Set<string>();
  let model: string | null = null;
  let inputTokens = 0;
  let requests = 0;
  for (const [index, text] of linesOf(content).entries()) {
    const line = index + 1;
    requests += 1;
    const parsed = openaiLine.safeParse(parsedJson(text));
    if (!parsed.success) {
      note('invalid_json_line', line, 'This line is not parseable as valid JSON.');
      continue;
    }
    const { custom_id: customId, body } = parsed.data;
    if (seen.has(customId))
      note('duplicate_custom_id', line, `The custom_id ${customId} is not unique.`, 'custom_id');
    seen.add(customId);
    if (parsed.data.url !== url)
      note('url_mismatch', line, `The url does not match the batch's ${url}.`, 'url');
    model ??= body.model;
    if (body.model !== model) note('model_mismatch', line, `The model is not ${model}.`, 'body.model');
    if (findSimulatedModel('openai', body.model) === undefined) {
      note(
        'model_not_found',
        line,
        `The provided model '${body.model}' is not supported by the Batch API.`,
        'body.model',
      );
    }
    const request = endpoint?.parse(body, charactersPerToken);
    if (request?.kind === 'request') inputTokens += request.request.inputTokens;
  }
  if (requests === 0) note('empty_file', null, 'The file is empty.');
  if (requests > config.maxRequestsPerFile) {
    note('too_many_tasks', null, `The batch has more than ${config.maxRequestsPerFile} requests.`);
  }
  return { requests, model, inputTokens, problems };
}

/** The requests of a batch that was looked through, in their order. */
export function readItems(content: Buffer, provider: 'openai' | 'anthropic'): BatchItem[] {
  return linesOf(content).flatMap((text) => {
    const json = parsedJson(text);
    if (provider === 'anthropic') {
      const { custom_id: customId, params } = anthropicLine.parse(json);
      return { customId, body: params };
    }
    const { custom_id: customId, body } = openaiLine.parse(json);
    return { customId, body };
  });
}

function linesOf(content: Buffer): string[] {
  return content
    .toString('utf8')
    .split('\n')
    .filter((line) => line.trim() !== '');
}
