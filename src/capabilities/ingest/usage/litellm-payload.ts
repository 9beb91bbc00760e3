import { isStorableUsd, usdFromNumber } from '../../../kernel/money.ts';
import { asRecord, type JsonRecord, numberIn, recordIn } from '../../../engine/providers/token-usage.ts';
import { usageEventType } from './usage-event.ts';

/*
 * What LiteLLM's proxy sends to a generic callback (`callbacks: ["generic_api"]`, its StandardLoggingPayload), as the usage event that it tells of. Only the form is changed
 * here: what is missing or odd is refused where every event is read. Its own cost stands beside the one that is booked.
 */

/** The most payloads of one request. */
export const maxPayloads = 1_000;

/** A payload as a CloudEvent of usage. */
export function eventOfPayload(payload: unknown): unknown {
  const told = asRecord(payload);
  if (told === undefined) return payload;
  const metadata = recordIn(told, 'metadata');
  const startMs = timeOf(told['startTime']);
  const endMs = timeOf(told['endTime']);
  const sentAt = startMs === undefined ? undefined : new Date(startMs).toISOString();
  return without({
    specversion: '1.0',
    id: told['id'],
    source: '/litellm',
    type: usageEventType,
    time: sentAt,
    originteam: textIn(metadata, 'user_api_key_team_alias'),
    origincustomer: textIn(told, 'end_user') ?? textIn(metadata, 'user_api_key_end_user_id'),
    originfeature: textIn(recordIn(metadata, 'requester_metadata'), 'feature') ?? featureOfTags(told),
    data: without({
      provider: textIn(told, 'custom_llm_provider'),
      model: told['model'],
      operation: textIn(told, 'call_type')?.includes('embedding') === true ? 'embeddings' : 'chat',
      sentAt,
      durationMs: startMs === undefined || endMs === undefined ? undefined : Math.max(0, endMs - startMs),
      responseId: textIn(recordIn(told, 'response'), 'id'),
      outcome: told['status'] === 'failure' ? 'error' : 'ok',
      errorType: textIn(recordIn(told, 'error_information'), 'error_class'),
      ...usageIn(told, metadata),
      costUsd: costIn(told),
    }),
  });
}

/** The provider's block where the payload has it, else its own counts. What its cache answered used nothing. */
function usageIn(told: JsonRecord, metadata: JsonRecord | undefined): JsonRecord {
  if (told['cache_hit'] === true) return { tokens: {} };
  const block = recordIn(recordIn(told, 'response'), 'usage') ?? recordIn(metadata, 'usage_object');
  if (block !== undefined) return { usage: block };
  const [input, output] = [numberIn(told, 'prompt_tokens'), numberIn(told, 'completion_tokens')];
  if ((input ?? 0) === 0 && (output ?? 0) === 0) return {};
  return { usage: { prompt_tokens: input ?? 0, completion_tokens: output ?? 0 } };
}

function costIn(told: JsonRecord): string | undefined {
  const cost = numberIn(told, 'response_cost');
  if (cost === undefined || !(cost >= 0 && cost < 1e9)) return undefined;
  const amount = usdFromNumber(cost);
  return isStorableUsd(amount) ? amount.toFixed() : undefined;
}

/** `request_tags: ["feature:chat"]`. */
function featureOfTags(told: JsonRecord): string | undefined {
  const tags = told['request_tags'];
  if (!Array.isArray(tags)) return undefined;
  const tag = (tags as readonly unknown[]).find(
    (one): one is string => typeof one === 'string' && one.startsWith('feature:'),
  );
  return tag?.slice('feature:'.length);
}

/** Seconds since 1970, or a text of ISO 8601. */
function timeOf(value: unknown): number | undefined {
  const ms =
    typeof value === 'number' ? value * 1000 : typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Math.abs(ms) < 8.64e15 ? Math.round(ms) : undefined;
}

function textIn(record: JsonRecord | undefined, name: string): string | undefined {
  const value = record?.[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function without(members: JsonRecord): JsonRecord {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
