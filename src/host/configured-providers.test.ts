import { describe, expect, it } from 'vitest';
import { removeSecrets } from '../telemetry/known-secrets.ts';
import { configuredModels } from './configured-models.ts';
import { configuredProviders } from './configured-providers.ts';
import type { ConfigurationInput } from './configuration.ts';
import { loadConfiguration } from './load-configuration.ts';
import { providerRows } from './provider-rows.ts';

type Providers = NonNullable<NonNullable<ConfigurationInput['models']>['providers']>;

function load(environment: Readonly<Record<string, string>>, providers: Providers = {}) {
  return loadConfiguration({ environment, options: { models: { providers } } });
}

const providersOf = (environment: Readonly<Record<string, string>>, providers: Providers = {}) =>
  configuredProviders(load(environment, providers));

describe('accounts in the environment', () => {
  it.each([
    ['GOOGLE_GENERATIVE_AI_API_KEY', 'google'],
    ['GEMINI_API_KEY', 'google'],
    ['GOOGLE_VERTEX_API_KEY', 'vertex'],
    ['MISTRAL_API_KEY', 'mistral'],
    ['XAI_API_KEY', 'xai'],
    ['DEEPSEEK_API_KEY', 'deepseek'],
    ['GROQ_API_KEY', 'groq'],
    ['TOGETHER_API_KEY', 'together'],
    ['TOGETHER_AI_API_KEY', 'together'],
    ['FIREWORKS_API_KEY', 'fireworks'],
    ['PERPLEXITY_API_KEY', 'perplexity'],
    ['COHERE_API_KEY', 'cohere'],
    ['CO_API_KEY', 'cohere'],
    ['OPENROUTER_API_KEY', 'openrouter'],
  ])('%s makes the provider %s, whose package may be missing until it is asked for', (variable, kind) => {
    expect(providersOf({ [variable]: 'a-key' })).toEqual({
      [kind]: { kind, apiKey: 'a-key', isImplied: true },
    });
  });

  it('prefer the first of two variables', () => {
    const { google } = providersOf({ GEMINI_API_KEY: 'second', GOOGLE_GENERATIVE_AI_API_KEY: 'first' });
    expect(google).toMatchObject({ apiKey: 'first' });
    expect(providersOf({ GOOGLE_GENERATIVE_AI_API_KEY: '', GEMINI_API_KEY: 'second' })).toMatchObject({
      google: { apiKey: 'second' },
    });
  });

  it('of clouds make a provider when they are whole', () => {
    const keys = { AWS_ACCESS_KEY_ID: 'AKIA', AWS_SECRET_ACCESS_KEY: 's' };
    expect(providersOf(keys)).toEqual({});
    expect(providersOf({ ...keys, AWS_REGION: 'eu-central-1', AWS_SESSION_TOKEN: 't' })).toEqual({
      bedrock: {
        kind: 'bedrock',
        region: 'eu-central-1',
        accessKeyId: 'AKIA',
        secretAccessKey: 's',
        sessionToken: 't',
        isImplied: true,
      },
    });
    expect(providersOf({ AZURE_API_KEY: 'k' })).toEqual({});
    expect(providersOf({ AZURE_API_KEY: 'k', AZURE_RESOURCE_NAME: 'mill' })).toMatchObject({
      azure: { apiKey: 'k', resourceName: 'mill' },
    });
    expect(providersOf({ GOOGLE_CLOUD_PROJECT: 'mill' })).toEqual({});
    expect(providersOf({ GOOGLE_CLOUD_PROJECT: 'mill', GOOGLE_CLOUD_LOCATION: 'global' })).toMatchObject({
      vertex: { project: 'mill', location: 'global' },
    });
  });

  it('complete an entry of their kind, by whatever name it goes', () => {
    expect(providersOf({ GEMINI_API_KEY: 'k' }, { gemini: { timeoutMs: 500 } })).toEqual({
      gemini: { kind: 'google', apiKey: 'k', timeoutMs: 500 },
    });
    expect(providersOf({ OPENAI_API_KEY: 'k' }, { openai: { api: 'chat' } })).toEqual({
      openai: { kind: 'openai', apiKey: 'k', api: 'chat' },
    });
    expect(
      providersOf(
        { AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 's' },
        { paris: { kind: 'amazon-bedrock', region: 'eu-west-3' } },
      ),
    ).toEqual({ paris: { kind: 'bedrock', region: 'eu-west-3', accessKeyId: 'a', secretAccessKey: 's' } });
  });

  it('are not told to an address of one’s own, nor mixed with another key', () => {
    const environment = { GROQ_API_KEY: 'k', AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 's' };
    expect(
      providersOf(environment, {
        groq: { baseUrl: 'https://proxy.example/v1' },
        bedrock: { apiKey: 'own', region: 'eu-west-3' },
      }),
    ).toEqual({
      groq: { kind: 'groq', baseUrl: 'https://proxy.example/v1' },
      bedrock: { kind: 'bedrock', apiKey: 'own', region: 'eu-west-3' },
    });
  });

  it('are secrets wherever a text is kept', () => {
    load(
      { MISTRAL_API_KEY: 'mistral-key-4711', AWS_SECRET_ACCESS_KEY: 'aws-secret-4711' },
      { vertex: { accessToken: 'vertex-token-4711', project: 'mill', location: 'global' } },
    );
    for (const secret of ['mistral-key-4711', 'aws-secret-4711', 'vertex-token-4711']) {
      expect(removeSecrets(`it was ${secret}.`)).toBe('it was [redacted].');
    }
  });
});

describe('an entry', () => {
  it.each([
    [
      'a kind that nobody knows',
      { eu: { kind: 'gemni' } },
      'eu.kind',
      '"gemni" is not known; known are: openai',
    ],
    ['a name that is no kind', { eu: {} }, 'eu.kind', 'is missing, and "eu" is none by itself'],
  ])('with %s is refused with the kinds that there are', (_, providers, field, problem) => {
    expect(() => load({}, providers)).toThrow(
      expect.objectContaining({
        code: 'MILLRACE_CONFIG_INVALID',
        faults: [
          { field: `models.providers.${field}`, problem: expect.stringContaining(problem) as unknown },
        ],
      }),
    );
    expect(() => load({}, providers)).toThrow(/google \(also gemini/);
  });

  it.each([
    ['no key', { gemini: {} }, 'gemini.apiKey', 'GOOGLE_GENERATIVE_AI_API_KEY or GEMINI_API_KEY'],
    ['no region', { bedrock: { apiKey: 'k' } }, 'bedrock.region', 'AWS_REGION'],
    [
      'half a key',
      { bedrock: { region: 'eu-west-3', accessKeyId: 'a' } },
      'bedrock.secretAccessKey',
      'both or neither',
    ],
    ['no resource', { azure: { apiKey: 'k' } }, 'azure.resourceName', 'AZURE_RESOURCE_NAME'],
    ['no project', { vertex: { location: 'global' } }, 'vertex.project', 'GOOGLE_VERTEX_PROJECT'],
    [
      'a region of another cloud',
      { groq: { apiKey: 'k', region: 'x' } },
      'groq.region',
      'no setting of the kind',
    ],
    [
      'a region that would change the address',
      { bedrock: { apiKey: 'k', region: 'x.evil.example/' } },
      'bedrock.region',
      'as it stands in an address',
    ],
  ])('with %s is refused before anything is asked', async (_, providers, field, problem) => {
    await expect(configuredModels(load({}, providers))).rejects.toMatchObject({
      code: 'MILLRACE_CONFIG_INVALID',
      faults: [{ field: `models.providers.${field}`, problem: expect.stringContaining(problem) as unknown }],
    });
  });

  it('has the prices of its kind, and its models by every name of it', async () => {
    const { providers } = await configuredModels(load({ XAI_API_KEY: 'k' }, { gemini: { apiKey: 'k' } }));
    expect(providers.priceProviderOf('gemini')).toBe('google');
    for (const name of ['gemini', 'google', 'google-genai']) {
      expect(providers.languageModel(`${name}/gemini-2.5-flash`)).toMatchObject({
        provider: 'gemini',
        priceProvider: 'google',
        modelId: 'gemini-2.5-flash',
      });
    }
    expect(providers.languageModel('grok/grok-4')).toMatchObject({ provider: 'xai', priceProvider: 'x-ai' });
    expect(() => providers.languageModel('cohere/command-a')).toThrow(/Set COHERE_API_KEY or CO_API_KEY/);
    expect(() => providers.languageModel('nobody/m')).toThrow(/Names .* are: openai, anthropic/);
  });
});

describe('the list of providers', () => {
  it('has what is configured, then what could be, and nothing of any account', () => {
    const rows = providerRows(load({ GROQ_API_KEY: 'groq-secret' }, { gemini: { apiKey: 'gemini-secret' } }));
    expect(rows.slice(0, 3)).toMatchObject([
      {
        provider: 'gemini',
        kind: 'google',
        configuredBy: 'entry',
        prices: 'google',
        package: '@ai-sdk/google',
      },
      { provider: 'groq', kind: 'groq', configuredBy: 'environment', prices: 'groq' },
      { provider: 'openai', todo: 'set OPENAI_API_KEY, or configure models.providers.openai' },
    ]);
    expect(rows[0]?.installed).toMatch(/^\d+\.\d+\.\d+$/);
    expect(rows).toHaveLength(16);
    expect(JSON.stringify(rows)).not.toContain('secret');
  });
});
