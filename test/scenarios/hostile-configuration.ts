/* What the host of the hostile provider's test is started with. */

/** Keys with all that has to be escaped, and one of the usual form. */
export const hostileKeys = {
  chat: 'sk-proj-Zq81hVt2Lx0PmWcR7nYb5KdE',
  responses: 'resp/key+with=all?that&is:escaped~9b41',
  claude: 'claude_key-0f6a1c9e4b7d2835-only.words',
  compatible: 'Kompatibel!Schluessel(1234567890)*xyz',
};

/** The host's configuration: four providers that are hostile, one that is not. */
export function hostileConfiguration({
  dataDirectory,
  otlpUrl,
  hostileUrl,
  soundUrl,
}: Readonly<Record<'dataDirectory' | 'otlpUrl' | 'hostileUrl' | 'soundUrl', string>>): object {
  const bounds = { identify: true, timeoutMs: 8000, idleTimeoutMs: 1500, maxAnswerBytes: 1_048_576 };
  const openai = { baseUrl: `${hostileUrl}/openai/v1`, priceProvider: 'openai', ...bounds };
  const claude = { baseUrl: `${hostileUrl}/anthropic/v1`, priceProvider: 'anthropic', ...bounds };
  return {
    dataDirectory,
    http: { port: 0, auth: 'none' },
    logging: { level: 'info' },
    tracing: { endpoint: otlpUrl },
    // A circuit that opens is soon tried again: most of what this provider does counts as its failure.
    limits: { circuit: { openMs: 100, maxOpenMs: 200 }, retryBudget: { share: 10 } },
    models: {
      // Answers of some size go to the payload store, so that it is searched, too.
      inlineAnswerBytes: 400,
      retryAfter: { maxMessageMs: 1000, maxModelMs: 20 },
      providers: {
        chat: { kind: 'openai', api: 'chat', apiKey: hostileKeys.chat, ...openai },
        responses: { kind: 'openai', apiKey: hostileKeys.responses, ...openai },
        claude: { kind: 'anthropic', apiKey: hostileKeys.claude, ...claude },
        compatible: { kind: 'openai-compatible', apiKey: hostileKeys.compatible, ...openai },
        sound: {
          kind: 'openai',
          apiKey: 'sound',
          identify: true,
          baseUrl: `${soundUrl}/openai/v1`,
          priceProvider: 'openai',
        },
      },
    },
  };
}
