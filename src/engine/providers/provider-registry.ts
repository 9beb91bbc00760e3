import type { EmbeddingModelV4, LanguageModelV4 } from '@ai-sdk/provider';
import { AppError } from '../../kernel/app-error.ts';
import { type Clock, systemClock } from '../../kernel/clock.ts';
import { invariant } from '../../kernel/invariant.ts';
import { isStorableText } from '../../kernel/storable-text.ts';
import { keepSecret, removerOf } from '../../telemetry/known-secrets.ts';
import { defaultAnswerBounds, providerFetch } from './provider-fetch.ts';
import { type HttpProviderKind, isClaudeOfVertex, kindNamed, priceProviderOfKind } from './provider-kinds.ts';
import { missingProviderAdvice } from './missing-provider.ts';
import type { ProviderModels } from './provider-models.ts';
import { loadProviderSdks, type ProviderSdks } from './provider-sdks.ts';
import { secretsOfProvider } from './provider-secrets.ts';
import { linesWithUsage, wholeWithUsage } from './missing-usage.ts';
import { jsonWithNumbers, linesWithNumbers } from './readable-usage.ts';
import { type AnswerRewrite, rewrittenAnswers } from './rewritten-answer.ts';
import type { ReadUsage } from './own-usage.ts';
import type { UsageShape } from './usage-shapes.ts';
import {
  checkProviders,
  type CustomProviderConfig,
  type HttpProviderConfig,
  type ProviderConfig,
  type ProviderKind,
} from './provider-config.ts';

/** A model and how to reach, identify and price it. */
export interface ModelTarget<Model> {
  /** The configured name of the provider. */
  readonly provider: string;
  /** The provider whose prices apply. */
  readonly priceProvider: string;
  readonly kind: ProviderKind;
  readonly usageShape?: UsageShape | undefined;
  /** How a provider in code reads usage itself. */
  readonly readUsage?: ReadUsage | undefined;
  readonly modelId: string;
  readonly timeoutMs: number;
  readonly identify: boolean;
  /** Takes the provider's own secrets out of an answer. */
  readonly clean: (answer: string) => string;
  readonly model: Model;
  /** The same model, whose requests go to this `fetch` and no further. Absent for models in this process. */
  readonly through?: ((fetch: typeof globalThis.fetch) => Model) | undefined;
}

/** How a provider is reached, for those who speak to it without its models. */
export type ProviderConnection = Pick<HttpProviderConfig, 'kind' | 'apiKey' | 'baseUrl' | 'headers'>;

interface Provider {
  /** As it is configured. */
  readonly name: string;
  readonly config: ProviderConfig;
  readonly clean: (answer: string) => string;
  readonly models: ProviderModels;
  /** Its models through another `fetch`; undefined for models in this process. */
  readonly modelsThrough: ((fetch: typeof globalThis.fetch) => ProviderModels) | undefined;
}

const defaultTimeoutMs = 600_000;

/** Bounds what references from outside can make the registry remember. */
const maxRemembered = 1000;
const maxModelIdLength = 256;

/** The configured providers, and their models by reference: "provider/model". */
export class ProviderRegistry {
  readonly #providers: ReadonlyMap<string, Provider>;
  /** By kind: what its models are refused with. */
  readonly #missing: ReadonlyMap<string, AppError>;
  readonly #language = new Map<string, ModelTarget<LanguageModelV4>>();
  readonly #embedding = new Map<string, ModelTarget<EmbeddingModelV4>>();

  /** Loads what the providers need, which may be MILLRACE_PACKAGE_MISSING. */
  static async open(
    providers: Readonly<Record<string, ProviderConfig>>,
    clock: Clock = systemClock,
  ): Promise<ProviderRegistry> {
    checkProviders(providers);
    const configs = Object.values(providers).filter((config) => config.kind !== 'custom');
    const named = configs.filter(({ isImplied = false }) => !isImplied).map(({ kind }) => kind);
    const implied = configs.map(({ kind }) => kind).filter((kind) => !named.includes(kind));
    const sdks = new Map(await loadProviderSdks(named));
    const missing = new Map<string, AppError>();
    for (const kind of implied) {
      try {
        for (const [loaded, make] of await loadProviderSdks([kind])) sdks.set(loaded, make);
      } catch (error) {
        // A key in the environment may be there for others: the package is missed by whoever asks for its models.
        if (!(error instanceof AppError) || error.code !== 'MILLRACE_PACKAGE_MISSING') throw error;
        missing.set(kind, error);
      }
    }
    return new ProviderRegistry(providers, sdks, clock, missing);
  }

  /** With what is loaded already. Fails with MILLRACE_CONFIG_INVALID and every fault at once. */
  constructor(
    providers: Readonly<Record<string, ProviderConfig>>,
    sdks: ProviderSdks = new Map(),
    clock: Clock = systemClock,
    missing: ReadonlyMap<string, AppError> = new Map(),
  ) {
    checkProviders(providers);
    this.#missing = missing;
    this.#providers = new Map(
      Object.entries(providers)
        .filter(([, { kind }]) => !missing.has(kind))
        .map(([name, config]) => {
          const clean = cleanerOf(config);
          return [name, { name, config, clean, ...modelsOf(name, config, { clean, sdks, clock }) }];
        }),
    );
  }

  /** The configured names. */
  get names(): readonly string[] {
    return [...this.#providers.keys()];
  }

  /** Whose prices the provider follows; its own name's when it is not configured (any more). */
  priceProviderOf(name: string): string {
    const config = this.#providers.get(name)?.config;
    return config === undefined ? name : priceProviderOfKind(name, config);
  }

  /** How the provider is reached; undefined for one in this process, and for one that is not configured. */
  connectionOf(name: string): ProviderConnection | undefined {
    const config = this.#providers.get(name)?.config;
    if (config === undefined || config.kind === 'custom') return undefined;
    const { kind, apiKey, baseUrl, headers } = config;
    return {
      kind,
      ...(apiKey === undefined ? {} : { apiKey: apiKey.trim() }),
      ...(baseUrl === undefined ? {} : { baseUrl }),
      ...(headers === undefined ? {} : { headers }),
    };
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
    const provider = this.#providers.get(name) ?? this.#ofKind(kindNamed(name));
    // A name that no row can hold would hurt what is counted and limited by model for all.
    const isName = modelId !== '' && modelId.length <= maxModelIdLength && isStorableText(modelId);
    if (provider === undefined || !isName) throw this.#unknown(reference);
    const model = make(provider.models, modelId);
    if (model === undefined) throw this.#unknown(reference);
    const { config, clean, modelsThrough } = provider;
    const target: ModelTarget<Model> = {
      provider: provider.name,
      priceProvider: priceProviderOfKind(provider.name, config),
      kind: config.kind,
      usageShape: usageShapeOf(config, modelId),
      readUsage: config.kind === 'custom' ? config.readUsage : undefined,
      modelId,
      timeoutMs: config.timeoutMs ?? defaultTimeoutMs,
      identify: config.identify ?? false,
      clean,
      model,
      through:
        modelsThrough &&
        ((fetch) => {
          const same = make(modelsThrough(fetch), modelId);
          invariant(same !== undefined, `${reference} is a model whoever carries its requests`);
          return same;
        }),
    };
    if (remembered.size < maxRemembered) remembered.set(reference, target);
    return target;
  }

  /** The provider that another name of its kind means, when there is one of that kind only. */
  #ofKind(kind: HttpProviderKind | undefined): Provider | undefined {
    if (kind === undefined) return undefined;
    const missing = this.#missing.get(kind);
    if (missing !== undefined) throw missing;
    const [found, ...others] = [...this.#providers.values()].filter(({ config }) => config.kind === kind);
    return others.length === 0 ? found : undefined;
  }

  #unknown(reference: string): AppError {
    const name = reference.slice(0, Math.max(reference.indexOf('/'), 0));
    return new AppError(
      'MILLRACE_MODEL_UNKNOWN',
      `"${reference}" is no model of a configured provider; configured are: ${this.names.join(', ') || 'none'}.${this.#providers.has(name) ? '' : ` ${missingProviderAdvice(name)}`}`,
    );
  }
}

/** Undefined where the kind says it, or nobody does. */
function usageShapeOf(config: ProviderConfig, modelId: string): UsageShape | undefined {
  if (config.kind === 'custom') return config.usage;
  return isClaudeOfVertex(config.kind, modelId) ? 'anthropic' : undefined;
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
): Pick<Provider, 'models' | 'modelsThrough'> {
  if (config.kind === 'custom') return { models: customModels(config), modelsThrough: undefined };
  const { kind } = config;
  const makeModels = sdks.get(kind);
  invariant(makeModels !== undefined, `the package for "${kind}" is loaded`);
  const modelsThrough = (fetch: typeof globalThis.fetch): ProviderModels =>
    makeModels({
      name,
      baseUrl: config.baseUrl,
      apiKey: config.apiKey?.trim() ?? '',
      api: config.api,
      headers: { ...config.headers },
      fetch: rewrittenAnswers(fetch, rewriteFor(kind, clean)),
      account: config,
    });
  const bounded = providerFetch(
    {
      maxAnswerBytes: config.maxAnswerBytes ?? defaultAnswerBounds.maxAnswerBytes,
      idleTimeoutMs: config.idleTimeoutMs ?? defaultAnswerBounds.idleTimeoutMs,
    },
    clock,
  );
  return { models: modelsThrough(bounded), modelsThrough };
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
  const mayBeAnthropic = kind === 'anthropic' || kind === 'vertex';
  return {
    header: clean,
    text: (text, part) => {
      const safe = clean(text);
      if (part === 'refusal') return safe;
      if (part === 'lines') {
        const lines = linesWithNumbers(safe);
        return mayBeAnthropic ? linesWithUsage(lines) : lines;
      }
      const whole = jsonWithNumbers(safe);
      return mayBeAnthropic ? wholeWithUsage(whole) : whole;
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
