import type { LanguageModelV4CallOptions, LanguageModelV4ProviderTool } from '@ai-sdk/provider';
import { type UnitCounts, type UsageUnit, usageUnits } from '../../pricing/usage-units.ts';
import { providerKinds } from './provider-kinds.ts';
import type { ModelTarget } from './provider-registry.ts';

/*
 * How often a provider can use its own tools for a request: what is reserved for it, and the most that is taken for a
 * report. The second is wider, because no request says how many searches a provider makes in one of its rounds.
 */

/** What the uses of a provider's tool are counted as, by the tool's id; the first is the tool's own. */
const countedAs: readonly (readonly [id: RegExp, units: readonly [UsageUnit, ...UsageUnit[]]])[] = [
  // Anthropic's newer searches and fetches filter what they found by running code.
  [/web_search|google_search|browser_search/, ['web_search', 'code_execution']],
  [/web_fetch|url_context/, ['web_fetch', 'code_execution']],
  [/\.x_search/, ['x_search']],
  [/file_search|collections_search/, ['file_search']],
  [/code_execution|code_interpreter/, ['code_execution']],
  [/image_generation/, ['image_generation']],
  [/google_maps/, ['maps_search']],
];

/** How often a tool without a limit of its own is taken to be used: as many rounds as a provider makes. */
const reservedUses = 16;
/** The most uses of one tool that are believed where the request sets no limit: several in each round. */
const believedUses = 128;
/** Seconds of sound that are believed: it lies in the request, and is no tool. */
const believedSeconds = 36_000;

/** The uses that the provider-run tools of a request can make, by the limit that it sets; undefined without such tools. */
export function reservedUnits({ tools = [] }: LanguageModelV4CallOptions): UnitCounts | undefined {
  const units: Partial<Record<UsageUnit, number>> = {};
  for (const tool of tools) {
    const [unit] = tool.type === 'provider' ? (unitsOf(tool) ?? []) : [];
    if (unit !== undefined && tool.type === 'provider') {
      units[unit] = (units[unit] ?? 0) + (ownLimitOf(tool) ?? reservedUses);
    }
  }
  return Object.keys(units).length === 0 ? undefined : units;
}

/** The most uses of each tool that are taken for a report about the request. */
export function believedUnits(target: ModelTarget<unknown>, options: LanguageModelV4CallOptions): UnitCounts {
  const tools = (options.tools ?? []).filter((tool) => tool.type === 'provider');
  const isOpen =
    runsToolsUnasked(target) || namesToolsElsewhere(options) || tools.some((tool) => !unitsOf(tool));
  const units: Partial<Record<UsageUnit, number>> = { audio_second: believedSeconds };
  if (isOpen) for (const unit of usageUnits) units[unit] ??= believedUses;
  if (tools.length > 0) units.other_tool = believedUses;
  for (const tool of tools) {
    const [own, ...others] = unitsOf(tool) ?? [];
    if (own !== undefined) units[own] = (units[own] ?? 0) + (ownLimitOf(tool) ?? believedUses);
    for (const unit of others) units[unit] = (units[unit] ?? 0) + believedUses;
  }
  return units;
}

function unitsOf({ id }: LanguageModelV4ProviderTool): readonly [UsageUnit, ...UsageUnit[]] | undefined {
  return countedAs.find(([pattern]) => pattern.test(id))?.[1];
}

function ownLimitOf({ args }: LanguageModelV4ProviderTool): number | undefined {
  const limit = args['maxUses'];
  return typeof limit === 'number' && Number.isFinite(limit) && limit > 0 ? Math.ceil(limit) : undefined;
}

/**
 * Whether a provider of this kind may run tools that the request does not name. Perplexity searches for every answer,
 * Groq's compound models choose tools themselves, OpenRouter searches by the model's name.
 */
function runsToolsUnasked({ kind }: ModelTarget<unknown>): boolean {
  return kind === 'custom' || providerKinds[kind].runsNamedToolsOnly !== true;
}

/** Whether the tools may stand where the request does not show them: a stored prompt, MCP servers, a container's skills. */
function namesToolsElsewhere({ providerOptions }: LanguageModelV4CallOptions): boolean {
  return Object.values(providerOptions ?? {}).some(
    (provider) =>
      provider['prompt'] !== undefined ||
      provider['mcpServers'] !== undefined ||
      provider['container'] !== undefined,
  );
}
