import type { EmbeddingModelV4, LanguageModelV4 } from '@ai-sdk/provider';
import { AppError } from '../../kernel/app-error.ts';
import { accountFaults } from './provider-account.ts';
import type { HttpProviderKind } from './provider-kinds.ts';
import type { ProviderAccount } from './provider-models.ts';
import type { ReadUsage } from './own-usage.ts';
import type { UsageShape } from './usage-shapes.ts';

/** A provider that is reached over HTTP. */
export interface HttpProviderConfig extends ProviderAccount {
  readonly kind: HttpProviderKind;
  /** Without a slash at its end. Without it the vendor's own; required for the compatible kind. */
  readonly baseUrl?: string;
  readonly apiKey?: string;
  /** OpenAI and Azure only: which of the two APIs language models use. Default `responses`. */
  readonly api?: 'responses' | 'chat';
  /** Whose price list applies, when it is neither that of its kind's vendor nor that of its own name. */
  readonly priceProvider?: string;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** How long one request may take, its whole stream included. Default ten minutes. */
  readonly timeoutMs?: number;
  /** How large an answer may be, decompressed. Default 64 MiB. */
  readonly maxAnswerBytes?: number;
  /** How long an answer that has begun may be silent. Default two minutes. */
  readonly idleTimeoutMs?: number;
  /** Tell the provider which call, message and step a request is for. Only for providers of one's own. */
  readonly identify?: boolean;
  /** Nobody named it: keys in the environment made it. Its package may be missing until it is asked for. */
  readonly isImplied?: boolean;
}

/** Models in this process: for tests, and for what no HTTP provider covers. */
export interface CustomProviderConfig {
  readonly kind: 'custom';
  readonly model: (modelId: string) => LanguageModelV4 | EmbeddingModelV4;
  /**
   * In whose words the models report usage in `usage.raw`. Without it the form is told by its fields; usage in no known form is
   * read from the SDK's own fields, which have no modalities and no uses of tools.
   */
  readonly usage?: UsageShape;
  /**
   * Reads the usage of an answer that is in none of these forms. What it returns is checked and bounded like any report; what
   * it throws makes the call estimated.
   */
  readonly readUsage?: ReadUsage;
  readonly priceProvider?: string;
  readonly timeoutMs?: number;
  readonly identify?: boolean;
}

export type ProviderConfig = HttpProviderConfig | CustomProviderConfig;
export type ProviderKind = ProviderConfig['kind'];

/** Throws MILLRACE_CONFIG_INVALID with every fault at once. */
export function checkProviders(providers: Readonly<Record<string, ProviderConfig>>): void {
  const faults: { field: string; problem: string }[] = [];
  for (const [name, config] of Object.entries(providers)) {
    const field = `models.providers.${name}`;
    if (!/^[a-z0-9][a-z0-9_.-]{0,62}$/i.test(name)) {
      faults.push({ field, problem: 'a name is 1 to 63 letters, digits, points, dashes and underscores' });
    }
    if (config.kind !== 'custom') faults.push(...accountFaults(field, config));
    if (config.kind !== 'custom') faults.push(...addressFaults(field, config), ...boundFaults(field, config));
    if (config.timeoutMs !== undefined && !(config.timeoutMs > 0 && config.timeoutMs <= 2 ** 31 - 1)) {
      faults.push({ field: `${field}.timeoutMs`, problem: 'is a positive number of milliseconds' });
    }
  }
  if (faults.length === 0) return;
  const listed = faults.map(({ field, problem }) => `${field}: ${problem}`).join('; ');
  throw new AppError('MILLRACE_CONFIG_INVALID', `The model providers are not valid: ${listed}`, { faults });
}

/** The address is not repeated: it may hold what nobody else may know. */
function addressFaults(field: string, { baseUrl }: HttpProviderConfig) {
  if (baseUrl === undefined) return [];
  const fault = (problem: string) => [{ field: `${field}.baseUrl`, problem }];
  if (!URL.canParse(baseUrl)) return fault('is not an address');
  const { username, password } = new URL(baseUrl);
  return username === '' && password === ''
    ? []
    : fault('holds a user name or a password: addresses are logged; give apiKey, or an authorization header');
}

function boundFaults(field: string, { maxAnswerBytes, idleTimeoutMs }: HttpProviderConfig) {
  const isWrong = (value: number | undefined): boolean =>
    value !== undefined && !(Number.isInteger(value) && value > 0 && value <= 2 ** 31 - 1);
  const problem = 'is a whole number from 1 to 2147483647';
  return [
    ...(isWrong(maxAnswerBytes) ? [{ field: `${field}.maxAnswerBytes`, problem }] : []),
    ...(isWrong(idleTimeoutMs) ? [{ field: `${field}.idleTimeoutMs`, problem }] : []),
  ];
}
