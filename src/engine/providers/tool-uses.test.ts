import type { LanguageModelV4, LanguageModelV4CallOptions } from '@ai-sdk/provider';
import { describe, expect, it } from 'vitest';
import { ScriptedModel } from '../../testing/scripted-model.ts';
import { ProviderRegistry } from './provider-registry.ts';
import { languageBounds } from './request-bounds.ts';
import { noUsage } from './token-usage.ts';
import { withinLimits } from './usage-limits.ts';

const registry = await ProviderRegistry.open({
  own: { kind: 'custom', model: (): LanguageModelV4 => new ScriptedModel([]) },
  anthropic: { kind: 'anthropic', apiKey: 'k' },
});
const claude = registry.languageModel('anthropic/claude-haiku-4-5');
const own = registry.languageModel('own/sonar');

const prompt: LanguageModelV4CallOptions['prompt'] = [
  { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
];
const providerTool = (id: `${string}.${string}`, args: Readonly<Record<string, unknown>> = {}) => ({
  type: 'provider' as const,
  id,
  name: 't',
  args,
});
const search = 'anthropic.web_search_20260318';

function bounds(options: Partial<LanguageModelV4CallOptions> = {}, target = claude) {
  return languageBounds(target, { prompt, ...options }, {});
}

/** What is left of a report of these uses. */
function believed(units: Readonly<Record<string, number>>, ...given: Parameters<typeof bounds>) {
  const { usageLimits } = bounds(...given);
  const usage = { ...noUsage, input: { uncached_input: 10 }, output: { text_output: 10 }, units };
  const plausible = withinLimits(usage, usageLimits);
  return { units: plausible.units, faults: plausible.faults, isSuspect: plausible !== usage };
}

describe('uses of tools that are reported', () => {
  it('are not believed of a request that names no tool', () => {
    expect(believed({ web_search: 1 })).toEqual({
      units: {},
      faults: ['web_search of 1 is more than the request can have caused (0)'],
      isSuspect: true,
    });
  });

  it('are believed up to the limit that the request sets', () => {
    const tools = [providerTool(search, { maxUses: 3 })];
    expect(believed({ web_search: 3 }, { tools })).toMatchObject({ faults: [], isSuspect: false });
    expect(believed({ web_search: 4, code_execution: 2 }, { tools })).toMatchObject({
      units: { code_execution: 2 },
      isSuspect: true,
    });
    expect(believed({ file_search: 1 }, { tools })).toMatchObject({ isSuspect: true });
  });

  it('are believed for several in each round where the request sets none', () => {
    const tools = [providerTool(search)];
    expect(believed({ web_search: 128, other_tool: 1 }, { tools })).toMatchObject({ isSuspect: false });
    expect(believed({ web_search: 1000 }, { tools })).toMatchObject({ units: {}, isSuspect: true });
  });

  it('are believed within reason of what may run tools that the request does not show', () => {
    expect(believed({ web_search: 21 }, {}, own)).toMatchObject({ isSuspect: false });
    expect(believed({ web_search: 1000 }, {}, own)).toMatchObject({ isSuspect: true });
    const container = { providerOptions: { anthropic: { container: { skills: [] } } } };
    expect(believed({ code_execution: 2 }, container)).toMatchObject({ isSuspect: false });
    const unknown = { tools: [providerTool('anthropic.telepathy_20270101')] };
    expect(believed({ web_fetch: 2 }, unknown)).toMatchObject({ isSuspect: false });
  });

  it('do not limit the seconds of half an hour of sound', () => {
    expect(believed({ audio_second: 1800 })).toMatchObject({ isSuspect: false });
  });
});

describe('uses of tools that are reserved', () => {
  it('are those that the request allows, of every tool', () => {
    expect(bounds().maxUnits).toBeUndefined();
    const tools = [
      providerTool(search, { maxUses: 3 }),
      providerTool('anthropic.web_fetch_20260318', { maxUses: Infinity }),
      providerTool('openai.image_generation'),
    ];
    expect(bounds({ tools }).maxUnits).toEqual({ web_search: 3, web_fetch: 16, image_generation: 16 });
  });
});
