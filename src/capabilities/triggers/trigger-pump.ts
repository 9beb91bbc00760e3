import type { TriggerDefinition } from '../../engine/pipeline/trigger-definition.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { EventSource } from './source/event-source.ts';
import type { IntakeOutcome, TriggerIntake } from './trigger-intake.ts';
import type { TriggerMetrics } from './trigger-metrics.ts';

export interface TriggerPumpOptions {
  readonly trigger: TriggerDefinition;
  readonly source: EventSource;
  readonly intake: Pick<TriggerIntake, 'admit'>;
  readonly metrics: TriggerMetrics;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The most records of a group. */
  readonly maxGroup: number;
}

/**
 * Brings the events of one trigger into the ledger, group by group: receive, admit, acknowledge. What was not acknowledged, for whatever reason,
 * comes first the next time, so that no event overtakes another of its partition.
 */
export class TriggerPump {
  readonly #options: TriggerPumpOptions;
  #isBegun = false;
  #refused: string | undefined;

  constructor(options: TriggerPumpOptions) {
    this.#options = options;
  }

  get trigger(): TriggerDefinition {
    return this.#options.trigger;
  }

  /** Why the next event was refused when it was last tried; undefined where it was not. */
  get refused(): string | undefined {
    return this.#refused;
  }

  /**
   * Goes on until the time (of the monotonic clock), or the signal; a group that was received is admitted and acknowledged before it ends. Ends sooner when the
   * next event may not be admitted by now. Throws what the source and the ledger throw, with nothing acknowledged that is not durable.
   */
  async run(untilMs: number, signal: AbortSignal): Promise<void> {
    const { source, clock, maxGroup } = this.#options;
    try {
      if (!this.#isBegun) await source.begin();
      this.#isBegun = true;
      this.#refused = undefined;
      for (let leftMs = untilMs - clock.monotonicMs(); leftMs > 0 && !signal.aborted;) {
        const isRefused = await this.#group(maxGroup, leftMs, signal);
        if (isRefused) return;
        leftMs = untilMs - clock.monotonicMs();
      }
    } catch (error) {
      this.#isBegun = false;
      throw error;
    }
  }

  /** Consumes no more for now: what was received and not acknowledged goes back. */
  async rest(): Promise<void> {
    this.#refused = undefined;
    if (!this.#isBegun) return;
    this.#isBegun = false;
    await this.#options.source.release();
  }

  /** Another process has the role, or this one stops. */
  async close(): Promise<void> {
    this.#isBegun = false;
    await this.#options.source.close();
  }

  /** How far the source is behind. */
  async lag(): Promise<number> {
    const lags = await this.#options.source.lag();
    return lags.reduce((sum, { records }) => sum + records, 0);
  }

  /** One group; true when its next event may not be admitted by now. */
  async #group(limit: number, waitMs: number, signal: AbortSignal): Promise<boolean> {
    const { source, intake, trigger } = this.#options;
    const records = await source.receive(limit, waitMs, signal);
    if (records.length === 0) return false;
    const outcome = await intake.admit(trigger, records);
    if (outcome.settled > 0) await source.acknowledge(records.slice(0, outcome.settled));
    this.#count(outcome);
    if (outcome.refusal === undefined) return false;
    this.#refused = outcome.refusal.code;
    this.#isBegun = false;
    await source.release();
    return true;
  }

  #count({ admitted, duplicates, unreadable }: IntakeOutcome): void {
    const { metrics, logger, trigger } = this.#options;
    const { name } = trigger;
    metrics.increment('trigger_events_total', { trigger: name, result: 'admitted' }, admitted);
    metrics.increment('trigger_events_total', { trigger: name, result: 'duplicate' }, duplicates);
    metrics.increment('trigger_events_total', { trigger: name, result: 'unreadable' }, unreadable);
    if (unreadable > 0)
      logger.warn(
        { trigger: name, unreadable },
        'no message could be made of events; they are kept as they came',
      );
  }
}
