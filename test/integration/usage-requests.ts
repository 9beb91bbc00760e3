import { randomBytes } from 'node:crypto';
import type { Preparation } from './good-request.ts';

/** Good requests about calls that happened elsewhere. `unused` gives an id that nothing has. */
export function usageRequests(
  unused: () => string,
): Readonly<Record<'recordUsage' | 'recordTraces' | 'recordLiteLlmUsage', Preparation>> {
  return {
    recordLiteLlmUsage: () =>
      Promise.resolve([
        { body: liteLlmPayload(unused()) },
        { body: [liteLlmPayload(unused()), liteLlmPayload(unused())] },
      ]),
    recordTraces: () =>
      Promise.resolve([
        { body: { resourceSpans: [{ scopeSpans: [{ spans: [span()] }] }] } },
        { body: { resourceSpans: [] } },
      ]),
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

/** The same as LiteLLM's proxy tells it. */
function liteLlmPayload(id: string): object {
  const now = Date.now() / 1000;
  return {
    id,
    call_type: 'acompletion',
    status: 'success',
    custom_llm_provider: 'openai',
    model: 'gpt-5-mini',
    startTime: now - 1,
    endTime: now,
    prompt_tokens: 10,
    completion_tokens: 2,
    response_cost: 0.0000065,
    metadata: { user_api_key_team_alias: 'amber' },
  };
}

/** A span of such a call, in OTLP's JSON. */
function span(): object {
  const now = BigInt(Date.now()) * 1_000_000n;
  const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });
  const count = (key: string, intValue: string) => ({ key, value: { intValue } });
  return {
    traceId: randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    name: 'chat',
    startTimeUnixNano: String(now),
    endTimeUnixNano: String(now + 1_000_000_000n),
    attributes: [
      text('gen_ai.operation.name', 'chat'),
      text('gen_ai.provider.name', 'openai'),
      text('gen_ai.request.model', 'gpt-5-mini'),
      text('millrace.team', 'amber'),
      count('gen_ai.usage.input_tokens', '10'),
      count('gen_ai.usage.output_tokens', '2'),
    ],
  };
}
