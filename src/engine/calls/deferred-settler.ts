import type { SqlExecutor } from '../../drivers/sql-database/sql-database.ts';
import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { isRefusedData, writeSplittingRefused } from '../../kernel/split-refused.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { AttributedCall } from '../ledger/attributed-call.ts';
import type { CallLedger } from '../ledger/call-ledger.ts';
import type { SettledCall } from '../ledger/settlement.ts';
import type { ModelFailure } from '../providers/classify-model-error.ts';
import type { CallFailureKind } from '../providers/health-signal.ts';
import type { ProviderAnswer } from '../providers/provider-exchange.ts';
import type { ModelTarget, ProviderRegistry } from '../providers/provider-registry.ts';
import { jsonWithNumbers } from '../providers/readable-usage.ts';
import type { RequestBounds } from '../providers/request-bounds.ts';
import { estimateTokens } from '../providers/token-estimate.ts';
import { idInBody, rawUsageOfBody, usageOf } from '../providers/usage-of-answer.ts';
import { type CallReport, reportOfFailure } from './call-report.ts';
import type { CallSettler, SettledFor } from './call-settler.ts';
import { labelsOf, type ModelMetrics } from './model-metrics.ts';
import { encodeProviderAnswer } from './recorded-answer.ts';
import { bareEnd, soundEnd } from './sound-end.ts';

/*
 * The settlement of calls that were put off, by whoever kept them and in a transaction of theirs: usage, price, answer, quotas and the
 * usage record are there with whatever else that transaction says, or not at all.
 */

/** What became of a call that was put off. */
export interface DeferredOutcome {
  readonly callId: Uuid;
  /** As they were when it was put off. */
  readonly bounds: RequestBounds;
  readonly inputTokens: number;
  readonly end: DeferredEnd;
}

export type DeferredEnd =
  | { readonly kind: 'answered'; readonly answer: ProviderAnswer }
  /** It was not carried out, and is not billed. */
  | { readonly kind: 'failed'; readonly failure: CallFailureKind; readonly message: string }
  /** Nobody knows whether it was carried out: its upper bound stands. */
  | { readonly kind: 'unknown'; readonly message: string };

export interface DeferredSettlerOptions {
  readonly ledger: Pick<CallLedger, 'findDeferred' | 'settleWithin'>;
  readonly settler: Pick<CallSettler, 'endOf'>;
  readonly registry: Pick<ProviderRegistry, 'languageModel' | 'priceProviderOf'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: ModelMetrics;
}

interface EndedCall {
  readonly facts: AttributedCall;
  readonly end: SettledCall;
  /** Why it was written without a part of what it holds. */
  readonly refusal?: AppError;
}

const maxDurationMs = 2 ** 31 - 1;

export class DeferredSettler {
  readonly #options: DeferredSettlerOptions;

  constructor(options: DeferredSettlerOptions) {
    this.#options = options;
  }

  /**
   * Settles those of the calls that are open still. Answers what tells the metrics of them, to be called when the transaction is
   * committed. Throws what the ledger throws; the transaction is then to be undone.
   */
  async settle(transaction: SqlExecutor, outcomes: readonly DeferredOutcome[]): Promise<() => void> {
    const { ledger } = this.#options;
    const byId = new Map(outcomes.map((outcome) => [outcome.callId, outcome]));
    const open = await ledger.findDeferred([...byId.keys()], transaction);
    const ended: EndedCall[] = [];
    for (const facts of open) {
      const outcome = byId.get(facts.id);
      if (outcome !== undefined) ended.push(await this.#endOf(facts, outcome));
    }
    const written = ended.length === 0 ? [] : await this.#write(transaction, ended);
    return () => this.#tell(written);
  }

  async #endOf(facts: AttributedCall, outcome: DeferredOutcome): Promise<EndedCall> {
    const { settler, clock } = this.#options;
    const target = this.#targetOf(facts);
    const report = reportOf(target, outcome);
    const waitedMs = clock.now().getTime() - facts.reservedAt.getTime();
    const durationMs = Math.min(maxDurationMs, Math.max(0, waitedMs));
    const call: SettledFor = { facts, target, bounds: outcome.bounds, hasQuotas: true };
    const end = await settler.endOf(call, report, { durationMs, firstChunkMs: undefined });
    return { facts, end };
  }

  /** A provider that is not configured any more still has its prices. */
  #targetOf({ provider, model }: AttributedCall): ModelTarget<unknown> {
    const { registry } = this.#options;
    try {
      return registry.languageModel(`${provider}/${model}`);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'MILLRACE_MODEL_UNKNOWN') throw error;
      return {
        provider,
        priceProvider: registry.priceProviderOf(provider),
        kind: 'custom',
        modelId: model,
        timeoutMs: 0,
        identify: false,
        clean: (answer) => answer,
        model: undefined,
      };
    }
  }

  /** One odd settlement is written without what is odd in it, and keeps none of the others back. */
  async #write(transaction: SqlExecutor, ended: readonly EndedCall[]): Promise<EndedCall[]> {
    const written: EndedCall[] = [];
    const refused: { readonly call: EndedCall; readonly refusal: AppError }[] = [];
    const failures: unknown[] = [];
    await writeSplittingRefused(
      ended,
      async (part) => await this.#writePart(transaction, part),
      (call, outcome) => {
        if (outcome.status === 'fulfilled') {
          if (outcome.value) written.push(call);
        } else if (isRefusedData(outcome.reason)) {
          refused.push({ call, refusal: outcome.reason });
        } else {
          failures.push(outcome.reason);
        }
      },
    );
    if (failures.length > 0) throw failures[0];
    for (const { call, refusal } of refused) {
      const reduced = await this.#writeReduced(transaction, call, refusal);
      if (reduced !== undefined) written.push(reduced);
    }
    return written;
  }

  async #writePart(transaction: SqlExecutor, part: readonly EndedCall[]): Promise<readonly boolean[]> {
    await transaction.execute('savepoint deferred_calls');
    try {
      const settled = await this.#options.ledger.settleWithin(
        transaction,
        part.map(({ end }) => end),
      );
      await transaction.execute('release savepoint deferred_calls');
      return part.map(({ end }) => settled.has(end.id));
    } catch (error) {
      // Any other failure undoes the whole transaction.
      if (isRefusedData(error)) {
        await transaction.execute('rollback to savepoint deferred_calls; release savepoint deferred_calls');
      }
      throw error;
    }
  }

  async #writeReduced(
    transaction: SqlExecutor,
    call: EndedCall,
    refusal: AppError,
  ): Promise<EndedCall | undefined> {
    const sound = soundEnd(call.end, refusal);
    const forms = [...(sound === undefined ? [] : [sound]), bareEnd(call.end, refusal)];
    for (const [place, end] of forms.entries()) {
      try {
        const [isWritten = false] = await this.#writePart(transaction, [{ ...call, end }]);
        return isWritten ? { ...call, end, refusal } : undefined;
      } catch (error) {
        if (!isRefusedData(error) || place === forms.length - 1) throw error;
      }
    }
    return undefined;
  }

  #tell(written: readonly EndedCall[]): void {
    const { logger, metrics } = this.#options;
    for (const { facts, end, refusal } of written) {
      if (refusal !== undefined) {
        metrics.settlementReduced();
        logger.warn(
          { error: refusal, callId: end.id, hasAnswer: end.answer !== undefined },
          'a settlement was refused for what it holds: usage and cost are kept without what is odd in it',
        );
      }
      const { message, provider, model, attempt } = facts;
      const { tokens, costUsd, isSuspect = false } = end;
      metrics.callEnded(labelsOf({ provider, modelId: model }, message), {
        attempt,
        tokens,
        costUsd,
        isUnpriced: end.state === 'settled' && costUsd === undefined,
        isSuspect,
      });
    }
  }
}

function reportOf(target: ModelTarget<unknown>, { end, inputTokens }: DeferredOutcome): CallReport {
  switch (end.kind) {
    case 'answered': {
      const { answer } = end;
      const body = parsed(answer.body);
      const { usage, units, model, tier, geography } = rawUsageOfBody(body);
      return {
        failure: undefined,
        usage: usageOf(target, usage, undefined, units),
        rawUsage: usage,
        answeredModel: model,
        tier,
        geography,
        providerRequestId: idInBody(body),
        headers: undefined,
        answer: () => encodeProviderAnswer(answer),
        count: {
          countInput: () => Promise.resolve(inputTokens),
          countOutput: () => estimateTokens(target.modelId, answer.body),
        },
      };
    }
    case 'failed':
      return reportOfFailure(failureOf(end.failure, 'free', end.message));
    case 'unknown':
      return reportOfFailure(failureOf('failed', 'unknown', end.message));
  }
}

function failureOf(kind: CallFailureKind, billing: ModelFailure['billing'], message: string): ModelFailure {
  return { kind, billing, message, retryAfterMs: undefined, headers: undefined, usage: undefined };
}

/** What is no JSON says nothing of its usage, which is then counted. */
function parsed(body: string): unknown {
  try {
    return JSON.parse(jsonWithNumbers(body)) as unknown;
  } catch {
    return undefined;
  }
}
