import { z } from 'zod';
import { type ToldCall, type ToldCalls, toldCallId } from '../../../engine/ledger/told-calls.ts';
import { type ApiKeyIdentity, assertOriginAllowed } from '../../../http/api-key-identity.ts';
import { invalidRequest, parseRequest } from '../../../http/request-faults.ts';
import { invariant } from '../../../kernel/invariant.ts';
import { AppError } from '../../../kernel/app-error.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { parseCloudEvent } from '../../../messages/cloud-event.ts';
import type { Pricer } from '../../../pricing/price.ts';
import { pricedUsage, type ToldFacts } from './priced-usage.ts';
import { eventKey, responseKeys } from './told-keys.ts';
import { assertToldInTime } from './told-time.ts';
import type { UsageMetrics } from './usage-metrics.ts';
import { type UsageData, usageDataSchema, usageEventType } from './usage-event.ts';
import { rawUsageOfEvent, usageOfEvent } from './usage-of-event.ts';

/*
 * Usage that happened elsewhere, on its way into the ledger. Everything about an event is checked before anything is written; what is wrong with one
 * refuses that one. A call is named by its event (source and id) and by the provider's id of its answer, within the team that pays: told again, it is a duplicate.
 */

/** Of calls of which nobody says whose they are. */
export const unattributed = 'unattributed';

export const usageReceiptSchema = z.object({
  source: z.string(),
  id: z.string().describe('The id of the event, as it was sent.'),
  outcome: z.enum(['recorded', 'duplicate']),
  callId: z.string().describe('The call in the ledger; of a duplicate the one that was there.'),
  costUsd: z
    .string()
    .optional()
    .describe('By the price book. Absent where no price is known, and of a duplicate.'),
  sourceCostUsd: z.string().optional().describe('What the source thinks it cost, where it says so.'),
});
export type UsageReceipt = z.output<typeof usageReceiptSchema>;

/** An event whose form is known to be good. */
interface ReadEvent {
  readonly source: string;
  readonly id: string;
  readonly call: ToldCall;
  readonly sourceCostUsd: string | undefined;
}

export interface UsageIntakeOptions {
  readonly calls: Pick<ToldCalls, 'record'>;
  readonly pricer: Pricer;
  readonly clock: Pick<Clock, 'now'>;
  readonly metrics: UsageMetrics;
}

export class UsageIntake {
  readonly #options: UsageIntakeOptions;

  constructor(options: UsageIntakeOptions) {
    this.#options = options;
  }

  /**
   * Writes the calls that events tell of; durable when it resolves. `events` gives the values, and may throw for one that cannot be read. One
   * outcome an event, in order: a receipt, or why it was refused (MILLRACE_REQUEST_INVALID, MILLRACE_ORIGIN_INVALID, MILLRACE_FORBIDDEN, MILLRACE_DATA_REFUSED).
   * Throws what keeps the ledger from writing any.
   */
  async record(
    events: readonly (() => unknown)[],
    caller: ApiKeyIdentity,
  ): Promise<readonly PromiseSettledResult<UsageReceipt>[]> {
    const read = events.map((event) => attempt(() => this.#read(event(), caller)));
    const good = read.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const written = await this.#options.calls.record(good.map(({ call }) => call));
    let place = 0;
    const outcomes = read.map((one): PromiseSettledResult<UsageReceipt> => {
      if (one.status === 'rejected') return one;
      const outcome = written[place++];
      invariant(outcome !== undefined, 'every call that was told has an outcome');
      if (outcome.status === 'rejected') return outcome;
      return { status: 'fulfilled', value: receiptOf(one.value, outcome.value) };
    });
    for (const outcome of outcomes)
      this.#options.metrics.increment('usage_told_total', {
        way: 'event',
        outcome: outcome.status === 'fulfilled' ? outcome.value.outcome : 'refused',
      });
    return outcomes;
  }

  #read(value: unknown, caller: ApiKeyIdentity): ReadEvent {
    const event = parseCloudEvent(withOriginOf(caller, value));
    assertOriginAllowed(caller, event.origin);
    if (event.type !== usageEventType)
      throw invalidRequest([{ field: 'type', problem: `must be "${usageEventType}"` }]);
    const data = parseRequest(z.object({ data: usageDataSchema }), { data: event.data }).data;
    const now = this.#options.clock.now();
    const sentAt = data.sentAt === undefined ? (event.time ?? now) : new Date(data.sentAt);
    assertToldInTime(sentAt, now);
    const { provider, responseId } = data;
    const key = eventKey(event.source, event.id);
    const call: ToldCall = {
      id: toldCallId(sentAt, event.origin.team, key),
      via: 'event',
      origin: event.origin,
      step: data.step ?? '',
      provider,
      model: data.model,
      operation: data.operation,
      requestKind: data.isBatch ? 'batch' : 'single',
      sentAt,
      keys: [key, ...responseKeys(provider, responseId)],
      end: pricedUsage(this.#options.pricer, factsOf(data), usageOfEvent(data), sentAt),
    };
    return { source: event.source, id: event.id, call, sourceCostUsd: data.costUsd };
  }
}

function factsOf(data: UsageData): ToldFacts {
  return {
    provider: data.provider,
    model: data.model,
    answeredModel: data.answeredModel,
    responseId: data.responseId,
    tier: data.tier,
    geography: data.geography,
    isBatch: data.isBatch,
    outcome: data.outcome,
    errorType: data.errorType,
    durationMs: data.durationMs,
    rawUsage: rawUsageOfEvent(data),
  };
}

function receiptOf(
  { source, id, call, sourceCostUsd }: ReadEvent,
  { kind, callId }: { readonly kind: 'recorded' | 'duplicate'; readonly callId: string },
): UsageReceipt {
  const costUsd = kind === 'recorded' ? call.end.costUsd?.toFixed() : undefined;
  return {
    source,
    id,
    outcome: kind,
    callId,
    ...(costUsd === undefined ? {} : { costUsd }),
    ...(sourceCostUsd === undefined ? {} : { sourceCostUsd }),
  };
}

/** What the event leaves out of its origin, as the key has it. */
function withOriginOf({ team, customer, feature }: ApiKeyIdentity, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return {
    originteam: team ?? unattributed,
    origincustomer: customer ?? unattributed,
    originfeature: feature ?? unattributed,
    ...value,
  };
}

function attempt<Value>(read: () => Value): PromiseSettledResult<Value> {
  try {
    return { status: 'fulfilled', value: read() };
  } catch (reason) {
    if (reason instanceof AppError) return { status: 'rejected', reason };
    throw reason;
  }
}
