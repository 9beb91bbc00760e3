import type { EmbeddingModelV4, LanguageModelV4 } from '@ai-sdk/provider';
import { loadOptional } from '../../kernel/optional-package.ts';

/*
 * The AI SDK's packages of the providers. Each is an optional peer, imported when a provider of its kind is configured.
 */

/** How a provider is spoken to: as OpenAI, as Anthropic, or as the many that speak like OpenAI. */
export type HttpProviderKind = 'openai' | 'anthropic' | 'openai-compatible';

/** The models of one provider by id. */
export interface ProviderModels {
  language(modelId: string): LanguageModelV4 | undefined;
  embedding(modelId: string): EmbeddingModelV4 | undefined;
}

/** Keys and addresses are always given, so that the SDK never looks into the environment by itself. */
interface SdkSettings {
  readonly name: string;
  readonly baseUrl: string | undefined;
  readonly apiKey: string;
  readonly api: 'responses' | 'chat' | undefined;
  readonly headers: Record<string, string>;
  readonly fetch: typeof globalThis.fetch;
}

type MakeModels = (settings: SdkSettings) => ProviderModels;

/** What was loaded, by kind. */
export type ProviderSdks = ReadonlyMap<HttpProviderKind, MakeModels>;

const openAiBaseUrl = 'https://api.openai.com/v1';
const anthropicBaseUrl = 'https://api.anthropic.com/v1';

/** Loads what these kinds need. Throws MILLRACE_PACKAGE_MISSING with the command that installs what is not there. */
export async function loadProviderSdks(kinds: Iterable<HttpProviderKind>): Promise<ProviderSdks> {
  const loaded = [...new Set(kinds)].map(
    async (kind) =>
      [
        kind,
        await loadOptional(
          `A provider of the kind "${kind}"${madeByKey[kind]}`,
          [packages[kind]],
          loaders[kind],
        ),
      ] as const,
  );
  return new Map(await Promise.all(loaded));
}

/** What makes such a provider besides the setting models.providers. */
const madeByKey: Readonly<Record<HttpProviderKind, string>> = {
  openai: ' (OPENAI_API_KEY in the environment makes one)',
  anthropic: ' (ANTHROPIC_API_KEY in the environment makes one)',
  'openai-compatible': '',
};

const keyVariables: ReadonlyMap<string, string> = new Map([
  ['openai', 'OPENAI_API_KEY'],
  ['anthropic', 'ANTHROPIC_API_KEY'],
]);

/** How a model of a provider that is not configured gets one: by its key, or for a trial without. */
export function missingProviderAdvice(reference: string): string {
  const variable = keyVariables.get(reference.split('/', 1)[0] ?? '');
  return variable === undefined
    ? 'Configure the provider under models.providers, or correct the name.'
    : `Set ${variable} to a key of the provider. To try without one, run "millrace simulator" and name it under models.providers (docs/stages.md).`;
}

const packages = {
  openai: '@ai-sdk/openai',
  anthropic: '@ai-sdk/anthropic',
  'openai-compatible': '@ai-sdk/openai-compatible',
} as const;

const loaders: Readonly<Record<HttpProviderKind, () => Promise<MakeModels>>> = {
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
      return { language: (modelId) => anthropic.languageModel(modelId), embedding: () => undefined };
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
};
