import { chargedUsd } from '../../../engine/providers/usage-counts.ts';
import type { ReportedUsage } from '../../../engine/providers/token-usage.ts';
import { shapeOf, usageInShape } from '../../../engine/providers/usage-shapes.ts';
import { invalidRequest } from '../../../http/request-faults.ts';
import { isStorableText, storableProblem } from '../../../kernel/storable-text.ts';
import { inputTokenClasses, type TokenClass } from '../../../pricing/token-classes.ts';
import type { UsageData } from './usage-event.ts';

/* The usage that an event tells. The provider's own block is read by the same readers as that of an own call. */

const maxBlockLength = 16_384;

/** Undefined where nothing was used: a call that was refused before any work. Throws MILLRACE_REQUEST_INVALID. */
export function usageOfEvent({ usage: block, tokens, outcome }: UsageData): ReportedUsage | undefined {
  if (tokens !== undefined) return countedUsage(tokens);
  if (block === undefined) {
    if (outcome === 'error') return undefined;
    throw invalidUsage('is required: the usage block of the provider, or counts under "tokens"');
  }
  const text = JSON.stringify(block);
  if (text.length > maxBlockLength) throw invalidUsage(`must have at most ${maxBlockLength} characters`);
  if (!isStorableText(text)) throw invalidUsage(storableProblem);
  const shape = shapeOf(block);
  const read = shape === undefined ? undefined : usageInShape(shape, block);
  if (read === undefined || (read.input === undefined && read.output === undefined))
    throw invalidUsage('must be a usage block as OpenAI, Anthropic, Gemini, Bedrock or Cohere report it');
  const charged = shape === 'anthropic' ? undefined : chargedUsd(block);
  return { ...read, ...(charged === undefined ? {} : { chargedUsd: charged }) };
}

/** The block as it came, with what the source thinks it cost. */
export function rawUsageOfEvent({ usage, costUsd }: UsageData): string | undefined {
  if (usage === undefined && costUsd === undefined) return undefined;
  if (costUsd === undefined) return JSON.stringify(usage);
  return JSON.stringify({ ...usage, source_cost_usd: costUsd });
}

function countedUsage(tokens: NonNullable<UsageData['tokens']>): ReportedUsage {
  const counts = Object.entries(tokens) as [TokenClass, number | undefined][];
  const half = (isInput: boolean) =>
    Object.fromEntries(
      counts.filter(
        ([name, count]) => count !== undefined && count > 0 && inputTokenClasses.includes(name) === isInput,
      ),
    );
  return { input: half(true), output: half(false), faults: [] };
}

function invalidUsage(problem: string) {
  return invalidRequest([{ field: 'data.usage', problem }]);
}
