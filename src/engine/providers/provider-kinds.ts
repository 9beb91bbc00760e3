import { providerAliases } from '../../pricing/provider-names.ts';
import type { UsageShape } from './usage-shapes.ts';

/*
 * The providers that are reached by configuration: the AI SDK package of each, whose prices it has, in whose words it reports
 * usage, and how it differs from others. What is made of these facts is elsewhere.
 */

/** What is known of a kind of provider. */
interface KindFacts {
  /** As its vendor calls it. */
  readonly title: string;
  readonly package: string;
  /** Its vendor in the price book. */
  readonly vendor?: string;
  /** Gateways of others speak like it: its configured name says whose prices it has. */
  readonly isSpokenByOthers?: boolean;
  readonly usage: UsageShape;
  /** It runs tools of its own only for requests that name them; of any other nobody knows. */
  readonly runsNamedToolsOnly?: boolean;
  /** Requests may carry a seed. OpenAI's kinds only with chat completions. */
  readonly acceptsSeed: boolean;
}

const facts = {
  openai: {
    title: 'OpenAI',
    package: '@ai-sdk/openai',
    vendor: 'openai',
    isSpokenByOthers: true,
    usage: 'openai',
    runsNamedToolsOnly: true,
    acceptsSeed: true,
  },
  anthropic: {
    title: 'Anthropic',
    package: '@ai-sdk/anthropic',
    vendor: 'anthropic',
    isSpokenByOthers: true,
    usage: 'anthropic',
    runsNamedToolsOnly: true,
    acceptsSeed: false,
  },
  'openai-compatible': {
    title: 'any that speaks like OpenAI',
    package: '@ai-sdk/openai-compatible',
    isSpokenByOthers: true,
    usage: 'openai',
    acceptsSeed: true,
  },
  google: {
    title: 'Google Gemini API',
    package: '@ai-sdk/google',
    vendor: 'google',
    usage: 'gemini',
    runsNamedToolsOnly: true,
    acceptsSeed: true,
  },
  vertex: {
    title: 'Google Vertex AI',
    package: '@ai-sdk/google-vertex',
    vendor: 'google',
    usage: 'gemini',
    runsNamedToolsOnly: true,
    acceptsSeed: true,
  },
  bedrock: {
    title: 'Amazon Bedrock',
    package: '@ai-sdk/amazon-bedrock',
    vendor: 'aws',
    usage: 'bedrock',
    runsNamedToolsOnly: true,
    acceptsSeed: false,
  },
  azure: {
    title: 'Azure OpenAI',
    package: '@ai-sdk/azure',
    vendor: 'azure',
    usage: 'openai',
    runsNamedToolsOnly: true,
    acceptsSeed: true,
  },
  mistral: {
    title: 'Mistral',
    package: '@ai-sdk/mistral',
    vendor: 'mistral',
    usage: 'openai',
    runsNamedToolsOnly: true,
    acceptsSeed: true,
  },
  xai: {
    title: 'xAI',
    package: '@ai-sdk/xai',
    vendor: 'x-ai',
    usage: 'openai',
    acceptsSeed: false,
  },
  deepseek: {
    title: 'DeepSeek',
    package: '@ai-sdk/deepseek',
    vendor: 'deepseek',
    usage: 'openai',
    runsNamedToolsOnly: true,
    acceptsSeed: false,
  },
  groq: {
    title: 'Groq',
    package: '@ai-sdk/groq',
    vendor: 'groq',
    usage: 'openai',
    acceptsSeed: true,
  },
  together: {
    title: 'Together AI',
    package: '@ai-sdk/togetherai',
    vendor: 'together',
    usage: 'openai',
    runsNamedToolsOnly: true,
    acceptsSeed: true,
  },
  fireworks: {
    title: 'Fireworks AI',
    package: '@ai-sdk/fireworks',
    vendor: 'fireworks',
    usage: 'openai',
    runsNamedToolsOnly: true,
    acceptsSeed: true,
  },
  perplexity: {
    title: 'Perplexity',
    package: '@ai-sdk/perplexity',
    vendor: 'perplexity',
    usage: 'openai',
    acceptsSeed: false,
  },
  cohere: {
    title: 'Cohere',
    package: '@ai-sdk/cohere',
    vendor: 'cohere',
    usage: 'cohere',
    runsNamedToolsOnly: true,
    acceptsSeed: true,
  },
  openrouter: {
    title: 'OpenRouter',
    package: '@openrouter/ai-sdk-provider',
    vendor: 'openrouter',
    usage: 'openai',
    acceptsSeed: true,
  },
} as const satisfies Record<string, KindFacts>;

/** How a provider is spoken to: by the package of its vendor, or as one of the many that speak like OpenAI. */
export type HttpProviderKind = keyof typeof facts;

/** The facts of every kind. */
export const providerKinds: Readonly<Record<HttpProviderKind, KindFacts>> = facts;

/** Every kind, in the order in which they are shown. */
export const httpProviderKinds = Object.keys(facts) as readonly HttpProviderKind[];

/** The other names of a kind: those of its vendor in the price book. Google has two kinds, which their names tell apart. */
function otherNamesOf(kind: HttpProviderKind): readonly string[] {
  const { vendor } = providerKinds[kind];
  if (vendor === undefined) return [];
  const isVertex = kind === 'vertex';
  const names = Object.entries(providerAliases)
    .filter(([name, id]) => id === vendor && name.includes('vertex') === isVertex)
    .map(([name]) => name);
  return [...(isVertex ? [] : [vendor]), ...names].filter((name) => name !== kind);
}

const kindByName: ReadonlyMap<string, HttpProviderKind> = new Map(
  httpProviderKinds.flatMap((kind) =>
    [kind, ...otherNamesOf(kind)].map((name): [string, HttpProviderKind] => [name, kind]),
  ),
);

/** The kind that a name means, its own or another that people give it; undefined for one that nobody knows. */
export function kindNamed(name: string): HttpProviderKind | undefined {
  return kindByName.get(name.trim().toLowerCase());
}

/** What to say where a kind is not known: all that are, with their other names. */
export function knownKindsText(): string {
  return httpProviderKinds
    .map((kind) => {
      const others = otherNamesOf(kind);
      return others.length === 0 ? kind : `${kind} (also ${others.join(', ')})`;
    })
    .join(', ');
}

/** Whose prices a provider has: as it says, else its kind's vendor, else those of its own name. */
export function priceProviderOfKind(
  name: string,
  {
    kind,
    priceProvider,
  }: { readonly kind?: string | undefined; readonly priceProvider?: string | undefined },
): string {
  if (priceProvider !== undefined) return priceProvider;
  const named = kindNamed(kind ?? name);
  if (named === undefined) return name;
  const { vendor, isSpokenByOthers = false } = providerKinds[named];
  return isSpokenByOthers ? name : (vendor ?? name);
}

/** Claude at Vertex speaks and counts as Anthropic does. */
export function isClaudeOfVertex(kind: string, modelId: string): boolean {
  return kind === 'vertex' && modelId.startsWith('claude');
}
