import { isClaudeOfVertex } from './provider-kinds.ts';
import type { MakeModels } from './provider-models.ts';

/*
 * The clouds, whose packages take accounts, and would look for them in the environment: everything is given to them.
 */

export const cloudLoaders = {
  bedrock: async (): Promise<MakeModels> => {
    const { createAmazonBedrock } = await import('@ai-sdk/amazon-bedrock');
    return ({ baseUrl, apiKey, headers, fetch, account }) => {
      const { region = '', accessKeyId = '', secretAccessKey = '', sessionToken } = account;
      const bedrock = createAmazonBedrock({
        // An empty key is none: the package then signs requests.
        apiKey,
        region,
        accessKeyId,
        secretAccessKey,
        ...(sessionToken === undefined ? {} : { sessionToken }),
        baseURL: baseUrl ?? bedrockUrl(region),
        headers,
        fetch,
      });
      return {
        language: (modelId) => bedrock.languageModel(modelId),
        embedding: (modelId) => bedrock.embeddingModel(modelId),
      };
    };
  },
  azure: async (): Promise<MakeModels> => {
    const { createAzure } = await import('@ai-sdk/azure');
    return ({ baseUrl, apiKey, api, headers, fetch, account }) => {
      const { resourceName = '', apiVersion, deploymentUrls } = account;
      const azure = createAzure({
        baseURL:
          baseUrl === undefined ? `https://${resourceName}.openai.azure.com/openai` : azureUrl(baseUrl),
        apiKey,
        ...(apiVersion === undefined ? {} : { apiVersion }),
        ...(deploymentUrls === undefined ? {} : { useDeploymentBasedUrls: deploymentUrls }),
        headers,
        fetch,
      });
      return {
        language: (modelId) => (api === 'chat' ? azure.chat(modelId) : azure.responses(modelId)),
        embedding: (modelId) => azure.embeddingModel(modelId),
      };
    };
  },
  vertex: async (): Promise<MakeModels> => {
    const [{ createGoogleVertex }, { createGoogleVertexAnthropic }] = await Promise.all([
      import('@ai-sdk/google-vertex'),
      import('@ai-sdk/google-vertex/anthropic'),
    ]);
    type Options = NonNullable<Parameters<typeof createGoogleVertex>[0]>;
    type AuthClient = NonNullable<NonNullable<Options['googleAuthOptions']>['authClient']>;
    return ({ baseUrl, apiKey, headers, fetch, account }) => {
      const { project, location, accessToken, credentialsFile } = account;
      const googleAuthOptions =
        accessToken !== undefined
          ? // All that is asked of a client for one token.
            { authClient: tokenClient(accessToken) as unknown as AuthClient }
          : credentialsFile !== undefined
            ? { keyFilename: credentialsFile }
            : undefined;
      const shared = {
        ...(project === undefined ? {} : { project }),
        ...(location === undefined ? {} : { location }),
        ...(googleAuthOptions === undefined ? {} : { googleAuthOptions }),
        headers,
        fetch,
      };
      // An empty key is none: the package then signs in with credentials.
      const gemini = createGoogleVertex({
        ...shared,
        apiKey,
        ...(baseUrl === undefined ? {} : { baseURL: baseUrl }),
      });
      const claude = createGoogleVertexAnthropic({
        ...shared,
        project: project ?? '',
        location: location ?? '',
        ...(baseUrl === undefined ? {} : { baseURL: claudeUrl(baseUrl) }),
      });
      return {
        language: (modelId) =>
          isClaudeOfVertex('vertex', modelId) ? claude.languageModel(modelId) : gemini.languageModel(modelId),
        embedding: (modelId) => gemini.embeddingModel(modelId),
      };
    };
  },
} as const;

/** The endpoints of the isolated partitions are given as `baseUrl`. */
function bedrockUrl(region: string): string {
  return `https://bedrock-runtime.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
}

/** An endpoint as Azure's portal shows it, without a path, has the API under /openai. */
function azureUrl(baseUrl: string): string {
  const { hostname, pathname } = new URL(baseUrl);
  const isBare = pathname === '/' && hostname.endsWith('.azure.com');
  return isBare ? `${baseUrl.replace(/\/+$/, '')}/openai` : baseUrl;
}

/** The models of Anthropic stand beside Google's. */
function claudeUrl(baseUrl: string): string {
  return baseUrl.replace(/\/publishers\/google\/*$/, '/publishers/anthropic/models');
}

function tokenClient(token: string) {
  return { getAccessToken: () => Promise.resolve({ token }) };
}
