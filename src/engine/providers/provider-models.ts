import type { EmbeddingModelV4, LanguageModelV4 } from '@ai-sdk/provider';

/** An account of a cloud. Which fields a kind has is a table below. */
export interface ProviderAccount {
  /** Bedrock: the AWS region, as in "eu-central-1". */
  readonly region?: string;
  /** Bedrock: the key that signs requests, when there is no API key. */
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  /** Bedrock: of temporary credentials. */
  readonly sessionToken?: string;
  /** Azure: the resource, when no `baseUrl` says where it is. */
  readonly resourceName?: string;
  /** Azure: the API's version; that of the package when it is not said. */
  readonly apiVersion?: string;
  /** Azure: addresses with the deployment in them (`/deployments/{name}/…`), as before the v1 API. */
  readonly deploymentUrls?: boolean;
  /** Vertex: the Google Cloud project. */
  readonly project?: string;
  /** Vertex: the location, as in "europe-west4" or "global". */
  readonly location?: string;
  /** Vertex: an OAuth token as it is, which nobody renews. */
  readonly accessToken?: string;
  /** Vertex: a file of credentials, when the machine has no others (Application Default Credentials). */
  readonly credentialsFile?: string;
}

/** The models of one provider by id. */
export interface ProviderModels {
  language(modelId: string): LanguageModelV4 | undefined;
  embedding(modelId: string): EmbeddingModelV4 | undefined;
}

/** Keys and addresses are always given, so that the SDK never looks into the environment by itself. */
export interface SdkSettings {
  readonly name: string;
  readonly baseUrl: string | undefined;
  readonly apiKey: string;
  readonly api: 'responses' | 'chat' | undefined;
  readonly headers: Record<string, string>;
  readonly fetch: typeof globalThis.fetch;
  /** What clouds need beside a key. */
  readonly account: ProviderAccount;
}

/** Makes a provider of a package that is loaded. */
export type MakeModels = (settings: SdkSettings) => ProviderModels;
