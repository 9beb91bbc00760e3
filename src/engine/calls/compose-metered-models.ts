import type { PayloadStore } from '../../drivers/payload-store/payload-store.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Pricer } from '../../pricing/price.ts';
import { LogOnce } from '../../telemetry/log-once.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { MessageTracer } from '../../telemetry/message-tracer.ts';
import type { EngineBounds } from '../metrics/engine-bounds.ts';
import type { EngineMetrics } from '../metrics/engine-metrics.ts';
import type { CallLedger } from '../ledger/call-ledger.ts';
import type { ProviderRegistry } from '../providers/provider-registry.ts';
import { AnswerStore } from './answer-store.ts';
import { noQuotas, type QuotaSource } from './quota-source.ts';
import type { CallDeferral } from './call-deferral.ts';
import type { CallSharing } from './call-sharing.ts';
import { CallDeferring } from './call-deferring.ts';
import type { CallGate } from './call-gate.ts';
import { CallOpening } from './call-opening.ts';
import { CallsInAir } from './calls-in-air.ts';
import { CallSettler } from './call-settler.ts';
import { DeferredSettler } from './deferred-settler.ts';
import { MicroBatches } from './micro-batches.ts';
import { ModelDirectory } from './model-directory.ts';
import { MeteredModels } from './metered-models.ts';
import { ModelMetrics } from './model-metrics.ts';
import { SettlementWriter } from './settlement-writer.ts';
import { StepDivergences } from './step-divergences.ts';

/** Everything that metered models are made with. */
export interface MeteredModelsOptions {
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
  readonly bounds?: EngineBounds;
  readonly tracer?: MessageTracer;
  /** What every request has to fit. Default nothing. */
  readonly quotas?: QuotaSource;
  /** What every request passes before it is reserved, in order. */
  readonly gates?: readonly CallGate[];
  /** Who puts requests off; may be filled later. Default nobody. */
  readonly deferral?: () => CallDeferral | undefined;
  /** Who knows of equal requests of other messages; may be filled later. Default nobody. */
  readonly sharing?: () => CallSharing | undefined;
  /** Who stands in for a language model while its circuit is not closed: "provider/model" by "provider/model". */
  readonly fallbacks?: Readonly<Record<string, string>>;
}

const defaultMaxInlineAnswerBytes = 256 * 1024;
const defaultMaxRetryAfterMs = 3_600_000;

/** Composes the way from a handler's request to its settlement. */
export function composeMeteredModels(options: MeteredModelsOptions): MeteredModels {
  const { ledger, pricer, registry, payloads, logger, clock, tracer } = options;
  const metrics = new ModelMetrics(options.metrics);
  const logOnce = new LogOnce();
  const answers = new AnswerStore({
    payloads,
    maxInlineAnswerBytes: options.maxInlineAnswerBytes ?? defaultMaxInlineAnswerBytes,
    keeps: options.keepsAnswers ?? true,
    logger,
  });
  const settler = new CallSettler({
    writer: new SettlementWriter({ ledger, clock, logger, metrics }),
    pricer,
    answers,
    maxRetryAfterMs: options.maxRetryAfterMs ?? defaultMaxRetryAfterMs,
    logger,
    logOnce,
    metrics,
  });
  const quotas = options.quotas ?? noQuotas;
  return new MeteredModels({
    models: new ModelDirectory(registry, pricer, options.fallbacks),
    deferring: new CallDeferring({
      deferral: options.deferral ?? (() => undefined),
      ledger,
      quotas,
      pricer,
      clock,
      settler: new DeferredSettler({ ledger, settler, registry, clock, logger, metrics }),
      opening: new CallOpening({
        gates: options.gates ?? [],
        quotas,
        ledger,
        pricer,
        clock,
        metrics,
        tracer,
      }),
    }),
    inAir: new CallsInAir(settler, clock),
    microBatches: new MicroBatches({ settler, metrics, clock }, options.bounds),
    recorded: {
      ledger,
      answers,
      sharing: options.sharing ?? (() => undefined),
      metrics,
      pricer,
      divergences: new StepDivergences({ metrics, logger, logOnce }),
      clock,
    },
    clock,
  });
}
