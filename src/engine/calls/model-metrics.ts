import { formatUsd, type Usd } from '../../kernel/money.ts';
import { type TokenCounts, tokenClasses } from '../../pricing/token-classes.ts';
import type { EngineMetrics } from '../metrics/engine-metrics.ts';
import type { CascadeVerdict } from '../ledger/settlement.ts';
import type { CallFailureKind } from '../providers/health-signal.ts';

/** Which series a call counts into. */
export interface CallLabels {
  readonly provider: string;
  readonly model: string;
  /** Empty outside a stage, as is the owner. */
  readonly stage: string;
  readonly owner: string;
}

/** The series of the calls to a model, for a message or outside a stage. */
export function labelsOf(
  { provider, modelId }: { readonly provider: string; readonly modelId: string },
  message: { readonly stage: string; readonly owner: string } | undefined,
): CallLabels {
  return { provider, model: modelId, stage: message?.stage ?? '', owner: message?.owner ?? '' };
}

/** A request that ended, as the metrics see it. */
export interface EndedRequest {
  readonly failure: CallFailureKind | undefined;
  readonly attempt: number;
  readonly durationMs: number;
  readonly firstChunkMs: number | undefined;
  readonly traceId: string | undefined;
}

/** A call that ended, as the metrics see it. */
export interface EndedCall {
  readonly attempt: number;
  readonly tokens: TokenCounts;
  readonly costUsd: Usd | undefined;
  readonly isUnpriced: boolean;
  /** The provider reported more usage than the request can have caused. */
  readonly isSuspect: boolean;
}

function attemptOf({ attempt }: { readonly attempt: number }): 'first' | 'retry' {
  return attempt === 1 ? 'first' : 'retry';
}

/** The metrics of model calls. Does nothing when there are none to report to. */
export class ModelMetrics {
  readonly #metrics: EngineMetrics | undefined;
  readonly #inflight = new Map<string, number>();

  constructor(metrics: EngineMetrics | undefined) {
    this.#metrics = metrics;
  }

  /** A request is about to leave. */
  requestBegan(labels: CallLabels): void {
    this.#addInflight(labels, 1);
  }

  /** A settlement was refused for what it holds, and written without that. */
  settlementReduced(): void {
    this.#metrics?.increment('ledger_reduced_writes_total', { operation: 'settle' });
  }

  /** A request left for several calls. */
  requestShared({ provider, model }: CallLabels, calls: number): void {
    this.#metrics?.increment('llm_shared_requests_total', { provider, model });
    this.#metrics?.increment('llm_shared_request_calls_total', { provider, model }, calls);
  }

  /** Its call was settled, or given up; of a shared request, its answer came or nobody waits for it. */
  requestEnded(labels: CallLabels, call: EndedRequest): void {
    this.#addInflight(labels, -1);
    const metrics = this.#metrics;
    if (metrics === undefined) return;
    const { provider, model, stage } = labels;
    const outcome = call.failure === undefined ? 'ok' : 'error';
    const attempt = attemptOf(call);
    metrics.increment('llm_requests_total', {
      provider,
      model,
      stage,
      outcome,
      error_type: call.failure ?? '',
      attempt,
    });
    metrics.observe(
      'llm_request_duration_seconds',
      { provider, model, outcome },
      call.durationMs / 1000,
      call.traceId,
    );
    if (call.firstChunkMs !== undefined) {
      metrics.observe('llm_time_to_first_chunk_seconds', { provider, model }, call.firstChunkMs / 1000);
    }
  }

  /** What a call used and cost. */
  callEnded({ provider, model, stage, owner }: CallLabels, call: EndedCall): void {
    const metrics = this.#metrics;
    if (metrics === undefined) return;
    for (const name of tokenClasses) {
      const count = call.tokens[name];
      if (count) metrics.increment('tokens_total', { owner, stage, provider, model, class: name }, count);
    }
    if (call.costUsd !== undefined) {
      // A float is good enough for a rate; the money of record is decimal.
      const cost = Number(formatUsd(call.costUsd));
      metrics.increment('cost_usd_total', { owner, stage, provider, model }, cost);
      if (attemptOf(call) === 'retry') metrics.increment('retry_cost_usd_total', { owner, stage }, cost);
    }
    if (call.isSuspect) metrics.increment('metering_suspect_usage_total', { provider, model });
    if (call.isUnpriced) metrics.increment('metering_unpriced_events_total', { provider, model });
  }

  /** A refusal named a time; a capped one is longer than what is granted. */
  waitAskedFor({ provider, model }: CallLabels, askedMs: number, isCapped: boolean): void {
    this.#metrics?.observe('llm_retry_after_seconds', { provider, model }, askedMs / 1000);
    const outcome = isCapped ? 'capped' : 'granted';
    this.#metrics?.increment('llm_retry_after_total', { provider, model, outcome });
  }

  /** A model was asked in another one's place. */
  fellBack(fromModel: string, toModel: string): void {
    this.#metrics?.increment('llm_fallbacks_total', { from_model: fromModel, to_model: toModel });
  }

  /** A step was answered from the record. */
  answerReused({ stage, model }: CallLabels): void {
    this.#metrics?.increment('calls_reused_total', { stage, model });
  }

  /** It was decided what becomes of an answer of a model before the last of a cascade. */
  cascadeDecided({ provider, model, stage }: CallLabels, verdict: CascadeVerdict): void {
    this.#metrics?.increment('cascade_answers_total', { stage, provider, model, verdict });
  }

  /** A recorded answer could not be reused, because its step asks something else now. */
  stepDiverged({ stage }: CallLabels): void {
    this.#metrics?.increment('step_diverged_total', { stage });
  }

  #addInflight({ provider, model }: CallLabels, change: 1 | -1): void {
    if (this.#metrics === undefined) return;
    const key = `${provider}/${model}`;
    const count = (this.#inflight.get(key) ?? 0) + change;
    if (count === 0) this.#inflight.delete(key);
    else this.#inflight.set(key, count);
    this.#metrics.set('llm_inflight', { provider, model }, count);
  }
}
