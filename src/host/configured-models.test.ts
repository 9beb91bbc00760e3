import { describe, expect, it } from 'vitest';
import { configurationOfCommand } from './command-configuration.ts';
import { configuredModels } from './configured-models.ts';

function withPricesOf(priceProvider: string) {
  const provider = { kind: 'openai-compatible' as const, baseUrl: 'http://127.0.0.1:9/v1', priceProvider };
  return configuredModels(configurationOfCommand({}, {}, { models: { providers: { eu: provider } } }));
}

describe('whose prices a provider follows', () => {
  it.each(['openai', 'gemini', 'xai', 'z-ai'])('may be named %s', async (name) => {
    const { providers } = await withPricesOf(name);
    expect(providers.priceProviderOf('eu')).toBe(name);
  });

  it('is refused at start where nobody has such prices, with the names that there are', async () => {
    await expect(withPricesOf('opena')).rejects.toMatchObject({
      code: 'MILLRACE_CONFIG_INVALID',
      faults: [
        {
          field: 'models.providers.eu.priceProvider',
          problem: expect.stringContaining('openai, ') as unknown,
        },
      ],
    });
  });
});
