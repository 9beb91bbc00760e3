import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import { isRefusedData } from '../../kernel/split-refused.ts';
import type { CallLedger } from '../ledger/call-ledger.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { renderUsageLine, type UsageRecord } from '../export/usage-record.ts';
import type { CallInFlight } from './call-in-flight.ts';
import type { ModelMetrics } from './model-metrics.ts';
import { bareEnd, soundEnd } from './sound-end.ts';
import type { SettledCall } from '../ledger/settlement.ts';
import { recordsOfCorrection } from './usage-record-of-call.ts';

/*
 * Makes the end of a call durable, in the first of these forms that the ledger takes:
 *
 *   whole ─► without what is odd in it ─► as money alone
 *
 * One odd string or number must not leave a paid call reserved, to become `unsettled` at its upper bound. A ledger that cannot
 * be reached is asked again for some seconds.
 */

/** When the ledger cannot be reached: waits between tries to settle, about six seconds in all. */
const settleDelaysMs = [25, 50, 100, 200, 400, 800, 1600, 3200] as const;

export interface SettlementWriterOptions {
  readonly ledger: CallLedger;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: ModelMetrics;
}

type EndedCall = Pick<CallInFlight, 'facts'>;

export class SettlementWriter {
  readonly #options: SettlementWriterOptions;

  constructor(options: SettlementWriterOptions) {
    this.#options = options;
  }

  /**
   * Writes the end, and answers it as it was written. Throws MILLRACE_DATA_REFUSED when the ledger takes it in no form, and
   * what the ledger throws when it cannot be reached.
   */
  async write(call: EndedCall, end: SettledCall): Promise<SettledCall> {
    try {
      await this.#writeAs(call, end);
      return end;
    } catch (error) {
      if (!isRefusedData(error)) throw error;
      return await this.#writeReduced(call, end, error);
    }
  }

  async #writeReduced(call: EndedCall, end: SettledCall, refusal: AppError): Promise<SettledCall> {
    const { logger, metrics } = this.#options;
    const sound = soundEnd(end, refusal);
    let reduced = sound ?? bareEnd(end, refusal);
    try {
      await this.#writeAs(call, reduced);
    } catch (error) {
      if (!isRefusedData(error) || sound === undefined) throw error;
      reduced = bareEnd(end, refusal);
      await this.#writeAs(call, reduced);
    }
    metrics.settlementReduced();
    logger.warn(
      { error: refusal, callId: end.id, hasAnswer: reduced.answer !== undefined },
      'a settlement was refused for what it holds: usage and cost are kept without what is odd in it',
    );
    return reduced;
  }

  async #writeAs({ facts }: EndedCall, end: SettledCall): Promise<void> {
    const { ledger, clock, logger } = this.#options;
    if (await this.#tryHard(() => ledger.settle(end))) return;
    // The sweep had given the call up: what it cost after all, or why nobody knows it, is added as the difference to what it wrote.
    // When even that finds nothing to do, an earlier try of ours was committed although its confirmation got lost.
    const corrections = recordsOfCorrection(facts, end, clock.now()).map(lineOf);
    if (await this.#tryHard(() => ledger.settleLate(end, corrections))) {
      logger.info(
        { callId: facts.id, settlement: end.settlement },
        'a call given up as unsettled was settled late',
      );
    }
  }

  async #tryHard(write: () => Promise<boolean>): Promise<boolean> {
    for (const delayMs of settleDelaysMs) {
      try {
        return await write();
      } catch (error) {
        if (!(error instanceof AppError) || !error.retryable) throw error;
        await this.#options.clock.sleep(delayMs);
      }
    }
    return write();
  }
}

/** A record that cannot be rendered holds what no store takes. */
function lineOf(record: UsageRecord): string {
  try {
    return renderUsageLine(record);
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new AppError('MILLRACE_DATA_REFUSED', `The usage record cannot be written: ${problem}`, { cause });
  }
}
