import type { HttpProviderKind } from './provider-kinds.ts';
import type { ProviderAccount } from './provider-models.ts';

/*
 * The environment variables in which each vendor's own tools and the AI SDK look for keys and places. The first that is set
 * counts. They are names only: the configuration reads them.
 */

/** What of a provider a variable can say. */
export type VariableField = 'apiKey' | 'baseUrl' | Exclude<keyof ProviderAccount, 'deploymentUrls'>;

/** The kinds whose accounts are read from the environment by this table; OpenAI and Anthropic have settings of their own. */
export type AccountKind = Exclude<HttpProviderKind, 'openai' | 'anthropic' | 'openai-compatible'>;

type Variables = readonly [string, ...string[]];

export const providerVariables = {
  google: { apiKey: ['GOOGLE_GENERATIVE_AI_API_KEY', 'GEMINI_API_KEY'] },
  vertex: {
    apiKey: ['GOOGLE_VERTEX_API_KEY'],
    project: ['GOOGLE_VERTEX_PROJECT', 'GOOGLE_CLOUD_PROJECT'],
    location: ['GOOGLE_VERTEX_LOCATION', 'GOOGLE_CLOUD_LOCATION'],
    credentialsFile: ['GOOGLE_APPLICATION_CREDENTIALS'],
  },
  bedrock: {
    apiKey: ['AWS_BEARER_TOKEN_BEDROCK'],
    region: ['AWS_REGION', 'AWS_DEFAULT_REGION'],
    accessKeyId: ['AWS_ACCESS_KEY_ID'],
    secretAccessKey: ['AWS_SECRET_ACCESS_KEY'],
    sessionToken: ['AWS_SESSION_TOKEN'],
    baseUrl: ['AWS_ENDPOINT_URL_BEDROCK_RUNTIME'],
  },
  azure: {
    apiKey: ['AZURE_API_KEY', 'AZURE_OPENAI_API_KEY'],
    resourceName: ['AZURE_RESOURCE_NAME'],
    baseUrl: ['AZURE_OPENAI_ENDPOINT'],
    apiVersion: ['AZURE_OPENAI_API_VERSION'],
  },
  mistral: { apiKey: ['MISTRAL_API_KEY'] },
  xai: { apiKey: ['XAI_API_KEY'] },
  deepseek: { apiKey: ['DEEPSEEK_API_KEY'] },
  groq: { apiKey: ['GROQ_API_KEY'] },
  together: { apiKey: ['TOGETHER_API_KEY', 'TOGETHER_AI_API_KEY'] },
  fireworks: { apiKey: ['FIREWORKS_API_KEY'] },
  perplexity: { apiKey: ['PERPLEXITY_API_KEY'] },
  cohere: { apiKey: ['COHERE_API_KEY', 'CO_API_KEY'] },
  openrouter: { apiKey: ['OPENROUTER_API_KEY'] },
} as const satisfies Record<AccountKind, Partial<Record<VariableField, Variables>>>;

/** The variables of a kind by field. */
export function variablesOf(kind: HttpProviderKind): Readonly<Partial<Record<VariableField, Variables>>> {
  if (kind === 'openai') return { apiKey: ['OPENAI_API_KEY'] };
  if (kind === 'anthropic') return { apiKey: ['ANTHROPIC_API_KEY'] };
  return kind === 'openai-compatible' ? {} : providerVariables[kind];
}
