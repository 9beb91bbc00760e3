import type { EmbeddingModelV4, LanguageModelV4 } from '@ai-sdk/provider';
import { loadOptional } from '../../kernel/optional-package.ts';
import { type HttpProviderKind, providerKinds } from './provider-kinds.ts';
import type { MakeModels, ProviderModels, SdkSettings } from './provider-models.ts';
import { cloudLoaders } from './provider-sdks.clouds.ts';

/*
 * The AI SDK's packages of the providers. Each is an optional peer, imported when a provider of its kind is configured.
 */

/** What was loaded, by kind. */
export type ProviderSdks = ReadonlyMap<HttpProviderKind, MakeModels>;

/** Loads what these kinds need. Throws MILLRACE_PACKAGE_MISSING with the command that installs what is not there. */
export async function loadProviderSdks(kinds: Iterable<HttpProviderKind>): Promise<ProviderSdks> {
  const loaded = [...new Set(kinds)].map(
    async (kind) =>
      [
        kind,
        await loadOptional(
          `A provider of the kind "${kind}"${madeByKey[kind] ?? ''}`,
          [providerKinds[kind].package],
          loaders[kind],
        ),
      ] as const,
  );
  return new Map(await Promise.all(loaded));
}

/** What makes such a provider besides the setting models.providers. */
const madeByKey: Readonly<Partial<Record<HttpProviderKind, string>>> = {
  openai: ' (OPENAI_API_KEY in the environment makes one)',
  anthropic: ' (ANTHROPIC_API_KEY in the environment makes one)',
};

const openAiBaseUrl = 'https://api.openai.com/v1';
const anthropicBaseUrl = 'https://api.anthropic.com/v1';

/** What most packages take. */
function common({ baseUrl, apiKey, headers, fetch }: SdkSettings) {
  return { apiKey, headers, fetch, ...(baseUrl === undefined ? {} : { baseURL: baseUrl }) };
}

/** Of a vendor without embeddings. */
function noEmbeddings(): undefined {
  return undefined;
}

const loaders: Readonly<Record<HttpProviderKind, () => Promise<MakeModels>>> = {
  ...cloudLoaders,
  openai: async () => {
    const { createOpenAI } = await import('@ai-sdk/openai');
    return ({ baseUrl = openAiBaseUrl, apiKey, headers, fetch, api }) => {
      const openai = createOpenAI({ baseURL: baseUrl, apiKey, headers, fetch });
      return {
        language: (modelId) => (api === 'chat' ? openai.chat(modelId) : openai.responses(modelId)),
        embedding: (modelId) => openai.embeddingModel(modelId),
      };
    };
  },
  anthropic: async () => {
    const { createAnthropic } = await import('@ai-sdk/anthropic');
    return ({ baseUrl = anthropicBaseUrl, apiKey, headers, fetch }) => {
      const anthropic = createAnthropic({ baseURL: baseUrl, apiKey, headers, fetch });
      return { language: (modelId) => anthropic.languageModel(modelId), embedding: noEmbeddings };
    };
  },
  'openai-compatible': async () => {
    const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible');
    return ({ name, baseUrl = '', apiKey, headers, fetch }) => {
      const compatible = createOpenAICompatible({
        name,
        baseURL: baseUrl,
        headers,
        fetch,
        includeUsage: true,
        supportsStructuredOutputs: true,
        ...(apiKey === '' ? {} : { apiKey }),
      });
      return {
        language: (modelId) => compatible.languageModel(modelId),
        embedding: (modelId) => compatible.embeddingModel(modelId),
      };
    };
  },
  google: async () => {
    const { createGoogle } = await import('@ai-sdk/google');
    return (settings) => modelsOf(createGoogle(common(settings)));
  },
  mistral: async () => {
    const { createMistral } = await import('@ai-sdk/mistral');
    return (settings) => modelsOf(createMistral(common(settings)));
  },
  xai: async () => {
    const { createXai } = await import('@ai-sdk/xai');
    return (settings) => languageOnly(createXai(common(settings)));
  },
  deepseek: async () => {
    const { createDeepSeek } = await import('@ai-sdk/deepseek');
    return (settings) => languageOnly(createDeepSeek(common(settings)));
  },
  groq: async () => {
    const { createGroq } = await import('@ai-sdk/groq');
    return (settings) => languageOnly(createGroq(common(settings)));
  },
  together: async () => {
    const { createTogetherAI } = await import('@ai-sdk/togetherai');
    return (settings) => modelsOf(createTogetherAI(common(settings)));
  },
  fireworks: async () => {
    const { createFireworks } = await import('@ai-sdk/fireworks');
    return (settings) => modelsOf(createFireworks(common(settings)));
  },
  perplexity: async () => {
    const { createPerplexity } = await import('@ai-sdk/perplexity');
    return (settings) => languageOnly(createPerplexity(common(settings)));
  },
  cohere: async () => {
    const { createCohere } = await import('@ai-sdk/cohere');
    return (settings) => modelsOf(createCohere(common(settings)));
  },
  openrouter: async () => {
    const { createOpenRouter } = await import('@openrouter/ai-sdk-provider');
    // Strict: streams are asked for their usage.
    return (settings) => {
      const openrouter = createOpenRouter({ ...common(settings), compatibility: 'strict' });
      return {
        language: (modelId) => openrouter.chat(modelId),
        embedding: (modelId) => openrouter.textEmbeddingModel(modelId),
      };
    };
  },
};

interface LanguageModels {
  languageModel(modelId: string): LanguageModelV4;
}

function languageOnly(provider: LanguageModels): ProviderModels {
  return { language: (modelId) => provider.languageModel(modelId), embedding: noEmbeddings };
}

function modelsOf(
  provider: LanguageModels & { embeddingModel(modelId: string): EmbeddingModelV4 },
): ProviderModels {
  return {
    language: (modelId) => provider.languageModel(modelId),
    embedding: (modelId) => provider.embeddingModel(modelId),
  };
}
