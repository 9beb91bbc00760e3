import type { CallGate } from './call-gate.ts';
import type { PayloadStore } from '../../drivers/payload-store/payload-store.ts';
import type { Clock } from '../../kernel/clock.ts';
import { invariant } from '../../kernel/invariant.ts';
import type { CallLedger, RecordedCall } from '../ledger/call-ledger.ts';
import type { Origin } from '../../messages/origin.ts';
import type { Pricer } from '../../pricing/price.ts';
import { LogOnce } from '../../telemetry/log-once.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { MessageTracer } from '../../telemetry/message-tracer.ts';
import type { EngineMetrics } from '../metrics/engine-metrics.ts';
import { AnswerStore } from './answer-store.ts';
import type { OwningMessage } from './call-owner.ts';
import { CallScope } from './call-scope.ts';
import type { CallServices } from './metered-call.ts';
import { ModelMetrics } from './model-metrics.ts';
import { noQuotas, type QuotaSource } from './quota-source.ts';
import type { ModelTarget, ProviderRegistry } from '../providers/provider-registry.ts';
import type { CallFacts } from './usage-record-of-call.ts';

export type { CallScope };

export interface ModelGatewayOptions {
  readonly ledger: CallLedger;
  readonly pricer: Pricer;
  readonly registry: ProviderRegistry;
  readonly payloads: PayloadStore;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Answers with more bytes of JSON go to the payload store. Default 256 KiB. */
  readonly maxInlineAnswerBytes?: number;
  /** False: answers are not kept, and a further run of a message pays again. Default true. */
  readonly keepsAnswers?: boolean;
  /** The longest that a message waits because its provider asks for it. Default an hour. */
  readonly maxRetryAfterMs?: number;
  readonly metrics?: EngineMetrics;
  readonly tracer?: MessageTracer;
  /** What every request has to fit. Default nothing. */
  readonly quotas?: QuotaSource;
  /** What every request passes before it is reserved, in order. */
  readonly gates?: readonly CallGate[];
  /** Who stands in for a language model while its circuit is not closed: "provider/model" by "provider/model". */
  readonly fallbacks?: Readonly<Record<string, string>>;
}

export interface ScopeOptions {
  /** Who caused the calls. */
  readonly origin: Origin;
  /** The message that they are made for; absent outside a stage. */
  readonly message?: OwningMessage;
  /** Aborts every request of the scope: the end of the lease. */
  readonly signal: AbortSignal;
  /** The calls that were made for the message before, when they are known already. */
  readonly journal?: readonly RecordedCall[];
}

const defaultMaxInlineAnswerBytes = 256 * 1024;
const defaultMaxRetryAfterMs = 3_600_000;

/** Where metered models come from: one scope for each run of a handler, or for work outside a stage. */
export class ModelGateway {
  readonly #services: CallServices;
  readonly #registry: ProviderRegistry;
  readonly #tracer: MessageTracer | undefined;

  constructor(options: ModelGatewayOptions) {
    this.#registry = options.registry;
    this.#tracer = options.tracer;
    this.#services = {
      gates: options.gates ?? [],
      fallbacks: checkedFallbacks(options),
      quotas: options.quotas ?? noQuotas,
      ledger: options.ledger,
      pricer: options.pricer,
      limitsOf: rememberedLimits(options.pricer),
      answers: new AnswerStore({
        payloads: options.payloads,
        maxInlineAnswerBytes: options.maxInlineAnswerBytes ?? defaultMaxInlineAnswerBytes,
        keeps: options.keepsAnswers ?? true,
        logger: options.logger,
      }),
      inAir: new Set(),
      maxRetryAfterMs: options.maxRetryAfterMs ?? defaultMaxRetryAfterMs,
      clock: options.clock,
      logger: options.logger,
      metrics: new ModelMetrics(options.metrics),
      logOnce: new LogOnce(),
    };
  }

  /** Opens a scope. Whoever opens it closes it, also when its work failed. */
  openScope(options: ScopeOptions): CallScope {
    invariant(
      options.journal === undefined || options.message !== undefined,
      'a journal belongs to a message',
    );
    return new CallScope({
      ...options,
      services: this.#services,
      registry: this.#registry,
      ...(this.#tracer === undefined ? {} : { tracer: this.#tracer }),
    });
  }

  /** Aborts each call in the air for which there is a reason. Its handler sees the reason as the error's cause. */
  abortCalls(reasonFor: (call: CallFacts) => Error | undefined): void {
    for (const call of this.#services.inAir) {
      const reason = reasonFor(call.facts);
      if (reason !== undefined) call.abort(reason);
    }
  }
}

/** Fails with MILLRACE_MODEL_UNKNOWN at start, not when the fallback is needed. */
function checkedFallbacks({
  fallbacks = {},
  registry,
}: ModelGatewayOptions): Readonly<Record<string, string>> {
  for (const reference of Object.entries(fallbacks).flat()) registry.languageModel(reference);
  return fallbacks;
}

/** The registry hands out the same target for the same reference, and a model's sizes do not change. */
function rememberedLimits(pricer: Pricer): CallServices['limitsOf'] {
  const remembered = new WeakMap<ModelTarget<unknown>, ReturnType<Pricer['limits']>>();
  return (target) => {
    let limits = remembered.get(target);
    if (limits === undefined) {
      limits = pricer.limits(target.priceProvider, target.modelId);
      remembered.set(target, limits);
    }
    return limits;
  };
}
