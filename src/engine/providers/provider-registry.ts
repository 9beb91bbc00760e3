import type { EmbeddingModelV4, LanguageModelV4 } from '@ai-sdk/provider';
import { AppError } from '../../kernel/app-error.ts';
import { type Clock, systemClock } from '../../kernel/clock.ts';
import { invariant } from '../../kernel/invariant.ts';
import { isStorableText } from '../../kernel/storable-text.ts';
import { keepSecret, removerOf } from '../../telemetry/known-secrets.ts';
import { defaultAnswerBounds, providerFetch } from './provider-fetch.ts';
import {
  type HttpProviderKind,
  loadProviderSdks,
  missingProviderAdvice,
  type ProviderModels,
  type ProviderSdks,
} from './provider-sdks.ts';
import { secretsOfProvider } from './provider-secrets.ts';
import { linesWithUsage, wholeWithUsage } from './missing-usage.ts';
import { jsonWithNumbers, linesWithNumbers } from './readable-usage.ts';
import { type AnswerRewrite, rewrittenAnswers } from './rewritten-answer.ts';
import type { UsageShape } from './usage-shapes.ts';

/** A provider that is reached over HTTP. */
export interface HttpProviderConfig {
  readonly kind: HttpProviderKind;
  /** Without a slash at its end. The vendor's own for `openai` and `anthropic`; required for the compatible kind. */
  readonly baseUrl?: string;
  readonly apiKey?: string;
  /** OpenAI only: which of its two APIs language models use. Default `responses`. */
  readonly api?: 'responses' | 'chat';
  /** Whose price list applies, when it is not the provider's own name's. */
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
}

/** Models in this process: for tests, and for what no HTTP provider covers. */
export interface CustomProviderConfig {
  readonly kind: 'custom';
  readonly model: (modelId: string) => LanguageModelV4 | EmbeddingModelV4;
  /**
   * In whose words the models report usage in `usage.raw`. Without it the form is recognised by its fields; usage in no known form is
   * read from the SDK's own fields, which have no modalities and no uses of tools.
   */
  readonly usage?: UsageShape;
  readonly priceProvider?: string;
  readonly timeoutMs?: number;
  readonly identify?: boolean;
}

export type ProviderConfig = HttpProviderConfig | CustomProviderConfig;
export type ProviderKind = ProviderConfig['kind'];

/** A model and how to reach, identify and price it. */
export interface ModelTarget<Model> {
  /** The configured name of the provider. */
  readonly provider: string;
  /** The provider whose prices apply. */
  readonly priceProvider: string;
  readonly kind: ProviderKind;
  readonly usageShape?: UsageShape | undefined;
  readonly modelId: string;
  readonly timeoutMs: number;
  readonly identify: boolean;
  /** Takes the provider's own secrets out of an answer. */
  readonly clean: (answer: string) => string;
  readonly model: Model;
}

interface Provider {
  readonly config: ProviderConfig;
  readonly clean: (answer: string) => string;
  readonly models: ProviderModels;
}

const defaultTimeoutMs = 600_000;

/** Bounds what references from outside can make the registry remember. */
const maxRemembered = 1000;
const maxModelIdLength = 256;

/** The configured providers, and their models by reference: "provider/model". */
export class ProviderRegistry {
  readonly #providers: ReadonlyMap<string, Provider>;
  readonly #language = new Map<string, ModelTarget<LanguageModelV4>>();
  readonly #embedding = new Map<string, ModelTarget<EmbeddingModelV4>>();

  /** Loads what the providers need, which may be MILLRACE_PACKAGE_MISSING. */
  static async open(
    providers: Readonly<Record<string, ProviderConfig>>,
    clock: Clock = systemClock,
  ): Promise<ProviderRegistry> {
    checkProviders(providers);
    const kinds = Object.values(providers).flatMap(({ kind }) => (kind === 'custom' ? [] : [kind]));
    return new ProviderRegistry(providers, await loadProviderSdks(kinds), clock);
  }

  /** With what is loaded already. Fails with MILLRACE_CONFIG_INVALID and every fault at once. */
  constructor(
    providers: Readonly<Record<string, ProviderConfig>>,
    sdks: ProviderSdks = new Map(),
    clock: Clock = systemClock,
  ) {
    checkProviders(providers);
    this.#providers = new Map(
      Object.entries(providers).map(([name, config]) => {
        const clean = cleanerOf(config);
        return [name, { config, clean, models: modelsOf(name, config, { clean, sdks, clock }) }];
      }),
    );
  }

  /** The configured names. */
  get names(): readonly string[] {
    return [...this.#providers.keys()];
  }

  /** Whose prices the provider follows; its own name's when it is not configured (any more). */
  priceProviderOf(name: string): string {
    return this.#providers.get(name)?.config.priceProvider ?? name;
  }

  /** The language model of "provider/model". Throws MILLRACE_MODEL_UNKNOWN. */
  languageModel(reference: string): ModelTarget<LanguageModelV4> {
    return this.#find(reference, this.#language, (models, modelId) => models.language(modelId));
  }

  /** The embedding model of "provider/model". Throws MILLRACE_MODEL_UNKNOWN. */
  embeddingModel(reference: string): ModelTarget<EmbeddingModelV4> {
    return this.#find(reference, this.#embedding, (models, modelId) => models.embedding(modelId));
  }

  #find<Model>(
    reference: string,
    remembered: Map<string, ModelTarget<Model>>,
    make: (models: ProviderModels, modelId: string) => Model | undefined,
  ): ModelTarget<Model> {
    const known = remembered.get(reference);
    if (known !== undefined) return known;
    const slash = reference.indexOf('/');
    const name = reference.slice(0, Math.max(slash, 0));
    const modelId = reference.slice(slash + 1);
    const provider = this.#providers.get(name);
    // A name that no row can hold would hurt what is counted and limited by model for all.
    const isName = modelId !== '' && modelId.length <= maxModelIdLength && isStorableText(modelId);
    if (provider === undefined || !isName) throw this.#unknown(reference);
    const model = make(provider.models, modelId);
    if (model === undefined) throw this.#unknown(reference);
    const { config, clean } = provider;
    const target: ModelTarget<Model> = {
      provider: name,
      priceProvider: config.priceProvider ?? name,
      kind: config.kind,
      ...(config.kind === 'custom' && config.usage !== undefined ? { usageShape: config.usage } : {}),
      modelId,
      timeoutMs: config.timeoutMs ?? defaultTimeoutMs,
      identify: config.identify ?? false,
      clean,
      model,
    };
    if (remembered.size < maxRemembered) remembered.set(reference, target);
    return target;
  }

  #unknown(reference: string): AppError {
    const isConfigured = this.#providers.has(reference.split('/', 1)[0] ?? '');
    return new AppError(
      'MILLRACE_MODEL_UNKNOWN',
      `"${reference}" is no model of a configured provider; configured are: ${this.names.join(', ') || 'none'}.${isConfigured ? '' : ` ${missingProviderAdvice(reference)}`}`,
    );
  }
}

function checkProviders(providers: Readonly<Record<string, ProviderConfig>>): void {
  const faults: { field: string; problem: string }[] = [];
  for (const [name, config] of Object.entries(providers)) {
    const field = `models.providers.${name}`;
    if (!/^[a-z0-9][a-z0-9_.-]{0,62}$/i.test(name)) {
      faults.push({ field, problem: 'a name is 1 to 63 letters, digits, points, dashes and underscores' });
    }
    if (config.kind === 'openai-compatible' && config.baseUrl === undefined) {
      faults.push({ field: `${field}.baseUrl`, problem: 'is required for an OpenAI-compatible provider' });
    }
    if (config.kind !== 'custom' && config.baseUrl !== undefined && !URL.canParse(config.baseUrl)) {
      faults.push({ field: `${field}.baseUrl`, problem: 'is not an address' });
    }
    if (config.kind !== 'custom') faults.push(...boundFaults(field, config));
    if (config.timeoutMs !== undefined && !(config.timeoutMs > 0 && config.timeoutMs <= 2 ** 31 - 1)) {
      faults.push({ field: `${field}.timeoutMs`, problem: 'is a positive number of milliseconds' });
    }
  }
  if (faults.length === 0) return;
  const listed = faults.map(({ field, problem }) => `${field}: ${problem}`).join('; ');
  throw new AppError('MILLRACE_CONFIG_INVALID', `The model providers are not valid: ${listed}`, { faults });
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

function modelsOf(
  name: string,
  config: ProviderConfig,
  {
    clean,
    sdks,
    clock,
  }: {
    readonly clean: (text: string) => string;
    readonly sdks: ProviderSdks;
    readonly clock: Clock;
  },
): ProviderModels {
  if (config.kind === 'custom') return customModels(config);
  const makeModels = sdks.get(config.kind);
  invariant(makeModels !== undefined, `the package for "${config.kind}" is loaded`);
  const fetch = rewrittenAnswers(
    providerFetch(
      {
        maxAnswerBytes: config.maxAnswerBytes ?? defaultAnswerBounds.maxAnswerBytes,
        idleTimeoutMs: config.idleTimeoutMs ?? defaultAnswerBounds.idleTimeoutMs,
      },
      clock,
    ),
    rewriteFor(config.kind, clean),
  );
  return makeModels({
    name,
    baseUrl: config.baseUrl,
    apiKey: config.apiKey?.trim() ?? '',
    api: config.api,
    headers: { ...config.headers },
    fetch,
  });
}

/** What is shorter could be an ordinary word, and an answer is data: errors are cleaned of short ones, too. */
const minSecretInAnswer = 16;

/** Takes out of an answer what the provider knows of our secrets, and remembers them for all other texts. */
function cleanerOf(config: ProviderConfig): (text: string) => string {
  if (config.kind === 'custom') return (text) => text;
  const secrets = secretsOfProvider(config);
  for (const secret of secrets) keepSecret(secret);
  return removerOf(secrets.filter((secret) => secret.length >= minSecretInAnswer));
}

/** Counts of tokens become numbers, usage that an SDK insists on is there, and what the provider knows of our secrets does not come back. */
function rewriteFor(kind: ProviderKind, clean: (text: string) => string): AnswerRewrite {
  return {
    header: clean,
    text: (text, part) => {
      const safe = clean(text);
      if (part === 'refusal') return safe;
      if (part === 'lines') {
        const lines = linesWithNumbers(safe);
        return kind === 'anthropic' ? linesWithUsage(lines) : lines;
      }
      const whole = jsonWithNumbers(safe);
      return kind === 'anthropic' ? wholeWithUsage(whole) : whole;
    },
  };
}

function customModels({ model }: CustomProviderConfig): ProviderModels {
  return {
    language(modelId) {
      const made = model(modelId);
      return 'doGenerate' in made ? made : undefined;
    },
    embedding(modelId) {
      const made = model(modelId);
      return 'doEmbed' in made ? made : undefined;
    },
  };
}
