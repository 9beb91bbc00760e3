import type { Preparation } from './good-request.ts';

/** Good requests about calls that happened elsewhere. `unused` gives an id that nothing has. */
export function usageRequests(unused: () => string): Readonly<Record<'recordUsage', Preparation>> {
  return {
    recordUsage: () =>
      Promise.resolve([
        { body: usageEvent(unused()), mediaType: 'application/cloudevents+json' },
        {
          body: [
            usageEvent(unused()),
            usageEvent(unused(), { tokens: { uncached_input: 10, text_output: 2 } }),
          ],
          mediaType: 'application/cloudevents-batch+json',
        },
      ]),
  };
}

/** A call that happened elsewhere. */
function usageEvent(
  id: string,
  usage: object = { usage: { prompt_tokens: 10, completion_tokens: 2 } },
): object {
  return {
    specversion: '1.0',
    id,
    source: '/billing',
    type: 'millrace.usage',
    originteam: 'amber',
    data: { provider: 'openai', model: 'gpt-5-mini', sentAt: new Date().toISOString(), ...usage },
  };
}
