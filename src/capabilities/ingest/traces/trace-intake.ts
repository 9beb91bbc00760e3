import { type ToldCall, type ToldCalls, toldCallId } from '../../../engine/ledger/told-calls.ts';
import { type ApiKeyIdentity, assertOriginAllowed } from '../../../http/api-key-identity.ts';
import { invalidRequest } from '../../../http/request-faults.ts';
import { AppError } from '../../../kernel/app-error.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { isPrintableName } from '../../../kernel/printable-name.ts';
import { type Origin, parseOrigin } from '../../../messages/origin.ts';
import type { Pricer } from '../../../pricing/price.ts';
import { pricedUsage } from '../usage/priced-usage.ts';
import { responseKeys, spanKey } from '../usage/told-keys.ts';
import { assertToldInTime } from '../usage/told-time.ts';
import { unattributed } from '../usage/usage-intake.ts';
import type { UsageMetrics } from '../usage/usage-metrics.ts';
import type { ReceivedSpan } from './received-span.ts';
import { type SpanUsage, usageOfSpan } from './span-usage.ts';

/*
 * Spans that tell of calls to models, on their way into the ledger. Of a request only leaves count: a span above another one that tells of usage repeats it. All other
 * spans are taken, and nothing is kept of them.
 */

/** What became of the spans of one request. */
export interface TracesOutcome {
  readonly recorded: number;
  readonly duplicates: number;
  /** Spans of calls that were not taken, and why the first of them was not. */
  readonly rejected: number;
  readonly reason: string | undefined;
}

export interface TraceIntakeOptions {
  readonly calls: Pick<ToldCalls, 'record'>;
  readonly pricer: Pricer;
  readonly clock: Pick<Clock, 'now'>;
  readonly metrics: UsageMetrics;
}

const traceIdForm = /^(?!0+$)[0-9a-f]{32}$/;
const spanIdForm = /^(?!0+$)[0-9a-f]{16}$/;
/** A consistent sampler's threshold (OpenTelemetry, tracestate "ot=th:…"); 0 rejects nothing. */
const sampledState = /(?:^|,)\s*ot=(?:[^,]*;)?th:(?!0*(?:[;,]|$))/;
const maxDepth = 128;
const maxDurationMs = 86_400_000;
const maxStepLength = 512;

export class TraceIntake {
  readonly #options: TraceIntakeOptions;

  constructor(options: TraceIntakeOptions) {
    this.#options = options;
  }

  /** Writes the calls that spans tell of; durable when it resolves. Throws what keeps the ledger from writing any. */
  async record(spans: readonly ReceivedSpan[], caller: ApiKeyIdentity): Promise<TracesOutcome> {
    const reasons: string[] = [];
    const calls: ToldCall[] = [];
    for (const [span, usage] of leavesOf(spans)) {
      try {
        calls.push(this.#callOf(span, usage, caller));
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        reasons.push(error.message);
      }
    }
    const outcomes = await this.#options.calls.record(calls);
    let recorded = 0;
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') reasons.push(messageOf(outcome.reason));
      else if (outcome.value.kind === 'recorded') recorded += 1;
    }
    const rejected = reasons.length;
    const duplicates = calls.length - recorded - refusedByStore(outcomes);
    const { metrics } = this.#options;
    metrics.increment('usage_told_total', { way: 'otlp', outcome: 'recorded' }, recorded);
    metrics.increment('usage_told_total', { way: 'otlp', outcome: 'duplicate' }, duplicates);
    metrics.increment('usage_told_total', { way: 'otlp', outcome: 'refused' }, rejected);
    return { recorded, duplicates, rejected, reason: reasons[0] };
  }

  #callOf(span: ReceivedSpan, told: SpanUsage, caller: ApiKeyIdentity): ToldCall {
    if (!traceIdForm.test(span.traceId) || !spanIdForm.test(span.spanId))
      throw invalidRequest([{ field: 'span', problem: 'must have a trace id and a span id' }]);
    if (sampledState.test(span.traceState))
      throw invalidRequest([
        { field: 'span', problem: 'must not be of sampled traces: what was not sampled would be missing' },
      ]);
    const origin = originOf(span, caller);
    assertOriginAllowed(caller, origin);
    const sentAt = new Date(span.startMs);
    assertToldInTime(sentAt, this.#options.clock.now());
    const key = spanKey(span.traceId, span.spanId);
    const { provider, model, answeredModel, responseId, operation, usage } = told;
    return {
      id: toldCallId(sentAt, origin.team, key),
      via: 'otlp',
      origin,
      step: span.name.length <= maxStepLength && isPrintableName(span.name) ? span.name : '',
      provider,
      model,
      operation,
      requestKind: 'single',
      sentAt,
      keys: [key, ...responseKeys(provider, responseId)],
      end: pricedUsage(
        this.#options.pricer,
        {
          provider,
          model,
          answeredModel,
          responseId,
          tier: 'default',
          geography: undefined,
          isBatch: false,
          outcome: span.isError ? 'error' : 'ok',
          errorType: textIn(span, 'error.type'),
          durationMs: Math.min(Math.max(0, span.endMs - span.startMs), maxDurationMs),
          rawUsage: rawUsageOf(span),
        },
        usage,
        sentAt,
      ),
    };
  }
}

/** The spans that tell of usage, without those above another one that does. */
function leavesOf(spans: readonly ReceivedSpan[]): readonly (readonly [ReceivedSpan, SpanUsage])[] {
  const placeOf = ({ traceId, spanId }: ReceivedSpan): string => `${traceId} ${spanId}`;
  const parents = new Map(
    spans.map((span) => [
      placeOf(span),
      span.parentSpanId === '' ? '' : `${span.traceId} ${span.parentSpanId}`,
    ]),
  );
  const told = spans.flatMap((span) => {
    const usage = usageOfSpan(span);
    return usage === undefined ? [] : [[span, usage] as const];
  });
  const above = new Set<string>();
  for (const [span] of told) {
    let place = parents.get(placeOf(span)) ?? '';
    for (let depth = 0; place !== '' && depth < maxDepth && !above.has(place); depth += 1) {
      above.add(place);
      place = parents.get(place) ?? '';
    }
  }
  return told.filter(([span]) => !above.has(placeOf(span)));
}

/** Attributes of the span, else of its resource; what neither says is as the key says. */
function originOf(span: ReceivedSpan, caller: ApiKeyIdentity): Origin {
  const said = (name: string): string | undefined => textIn(span, `millrace.${name}`);
  const batch = said('batch');
  return parseOrigin({
    team: said('team') ?? caller.team ?? unattributed,
    customer: said('customer') ?? caller.customer ?? unattributed,
    feature: said('feature') ?? caller.feature ?? unattributed,
    ...(batch === undefined ? {} : { batch }),
  });
}

function textIn({ attributes, resource }: ReceivedSpan, name: string): string | undefined {
  const value = attributes.get(name) ?? resource.get(name);
  return typeof value === 'string' && value !== '' && value.length <= 128 && isPrintableName(value)
    ? value
    : undefined;
}

/** The counts as the span has them, under their own names. */
function rawUsageOf({ attributes }: ReceivedSpan): string {
  const counts = [...attributes].filter(
    ([name, value]) => typeof value === 'number' && /usage|token_count/.test(name),
  );
  return JSON.stringify(Object.fromEntries(counts));
}

function refusedByStore(outcomes: readonly PromiseSettledResult<unknown>[]): number {
  return outcomes.filter(({ status }) => status === 'rejected').length;
}

function messageOf(reason: unknown): string {
  return reason instanceof AppError ? reason.message : 'it could not be stored';
}
