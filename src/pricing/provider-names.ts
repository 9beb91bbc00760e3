/*
 * Providers by the names that people and other libraries give them, and the names of models that repeat their provider.
 * Exact names only: a provider that merely resembles a known one has no prices.
 */

/** Natural names → the id whose prices apply. */
export const providerAliases: Readonly<Record<string, string>> = {
  claude: 'anthropic',
  'amazon-bedrock': 'aws',
  'aws-bedrock': 'aws',
  bedrock: 'aws',
  'azure-openai': 'azure',
  azure_openai: 'azure',
  'deep-seek': 'deepseek',
  'fireworks-ai': 'fireworks',
  fireworks_ai: 'fireworks',
  gemini: 'google',
  'google-ai-studio': 'google',
  'google-genai': 'google',
  'google-generative-ai': 'google',
  'google-vertex': 'google',
  vertex: 'google',
  'vertex-ai': 'google',
  vertex_ai: 'google',
  vertexai: 'google',
  kimi: 'moonshotai',
  moonshot: 'moonshotai',
  mistralai: 'mistral',
  'open-router': 'openrouter',
  together_ai: 'together',
  'together-ai': 'together',
  togetherai: 'together',
  grok: 'x-ai',
  xai: 'x-ai',
  'x.ai': 'x-ai',
  'z-ai': 'zai',
  'z.ai': 'zai',
  zhipu: 'zhipuai',
};

/** Providers whose usage says what was charged, by their documentation. */
const chargingProviders: ReadonlySet<string> = new Set(['openrouter', 'perplexity', 'x-ai']);

/**
 * Whether a `cost` in the usage of a provider (by its price provider's name) is what was charged. Of any other it may be an
 * estimate, another currency or a 0 for "not known", and says nothing.
 */
export function saysWhatItCharged(provider: string): boolean {
  const name = provider.toLowerCase();
  return chargingProviders.has(providerAliases[name] ?? name);
}

/** Every provider of the packaged catalogue, which has no list of its own. */
export const catalogueProviders: readonly string[] = [
  'anthropic',
  'arcee',
  'avian',
  'aws',
  'azure',
  'baseten',
  'cerebras',
  'cloudflare',
  'cohere',
  'cursor',
  'deepseek',
  'doubleword',
  'fireworks',
  'github-copilot',
  'google',
  'groq',
  'huggingface_cerebras',
  'huggingface_fireworks-ai',
  'huggingface_groq',
  'huggingface_hyperbolic',
  'huggingface_nebius',
  'huggingface_novita',
  'huggingface_nscale',
  'huggingface_ovhcloud',
  'huggingface_publicai',
  'huggingface_sambanova',
  'huggingface_together',
  'minimax',
  'mistral',
  'modal',
  'moonshotai',
  'novita',
  'openai',
  'openrouter',
  'ovhcloud',
  'perplexity',
  'quicksilverpro',
  'together',
  'typesafe',
  'voyageai',
  'x-ai',
  'zai',
  'zhipuai',
];

/** The id whose prices a provider of this name has: its own, or the one that the name means. */
export function priceProviderOf(name: string): string {
  const lower = name.trim().toLowerCase();
  return providerAliases[lower] ?? lower;
}

const resourcePrefix = /^(?:models|publishers\/[^/]+\/models)\//;

/** The model without what names its provider once more: "google/gemini-2.5-pro" under "google", "models/gemini-2.5-pro". */
export function modelOfProvider(provider: string, model: string): string {
  const name = model.replace(resourcePrefix, '');
  const slash = name.indexOf('/');
  return slash > 0 && priceProviderOf(name.slice(0, slash)) === provider ? name.slice(slash + 1) : name;
}
