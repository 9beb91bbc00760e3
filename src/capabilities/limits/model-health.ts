import type { Clock } from '../../kernel/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { LimitMetrics } from './limit-metrics.ts';
import { type CircuitEvent, type CircuitSettings, nextCircuit, openDurationMs } from './circuit.ts';
import type { ChangeCondition, ModelHealthStore, RetryBudgetSettings } from './model-health-store.ts';
import { showHealth } from './show-health.ts';
import { type Unreported, WatchedModel } from './watched-model.ts';
import type { LimitBounds } from './limit-names.ts';

/*
 * How every model is doing, as far as this process knows. Requests only count in memory; twice a second the counts are
 * reported to the ledger, which answers what all processes know together. Whoever then sees that a circuit must turn turns
 * it in the ledger, where one process succeeds and the others learn of it within the same half second.
 *
 * While the ledger is away, requests are judged by what was known last; what was counted is reported when it is back.
 */

export interface ModelHealthOptions {
  readonly store: ModelHealthStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics?: LimitMetrics;
  /** Undefined: circuits are off. */
  readonly circuit: (CircuitSettings & { readonly windowMs: number }) | undefined;
  /** Undefined: retries are not limited. */
  readonly retryBudget: RetryBudgetSettings | undefined;
  readonly bounds?: LimitBounds;
}

/** How often a process that asks models tells its counts and learns the others'. */
export const healthIntervalMs = 500;
/** A process that asks none looks this often, so that its metrics are right and its first request is judged well. */
const idlePauseMs = 2000;
/** For so long after its last request a process still counts as asking. */
const activeMs = 30_000;
/** A probe that nobody has heard of for so long was lost with its process. */
const probePatienceMs = 60_000;
/** Bounds what is known here; a model beyond is asked without being watched. */
const maxModels = 1000;

export class ModelHealth {
  readonly options: ModelHealthOptions;
  readonly #models = new Map<string, WatchedModel>();
  readonly #pending = new Set<Promise<unknown>>();
  #isUrgent = false;
  #isAway = false;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #onUrgent: (() => void) | undefined;

  constructor(options: ModelHealthOptions) {
    this.options = options;
    options.bounds?.register('watched_models', { limit: maxModels, takePeak: () => this.#models.size });
  }

  /** What is called when the next look must not wait for its time. */
  set onUrgent(nudge: () => void) {
    this.#onUrgent = nudge;
  }

  /** The model, which is watched from now on; undefined when too many are. */
  watch(provider: string, model: string): WatchedModel | undefined {
    const nowMs = this.options.clock.monotonicMs();
    const watched = this.#find(provider, model, nowMs);
    if (watched !== undefined) watched.askedMs = nowMs;
    return watched;
  }

  /** Counts the end of a request. */
  count(watched: WatchedModel, what: keyof Unreported): void {
    watched.tell(what);
    const { circuit } = this.options;
    if (circuit === undefined || this.#isUrgent || watched.circuit.state !== 'closed') return;
    if (nextCircuit(watched.circuit, { kind: 'counted', counts: watched.counts }, circuit) === undefined)
      return;
    this.#isUrgent = true;
    this.#onUrgent?.();
  }

  /**
   * One look: tells and learns. True when the next must follow at once. Throws when the ledger could not be asked; what was
   * to be reported is kept for the next look.
   */
  async turn(): Promise<boolean> {
    if (!this.#isDue()) return false;
    this.#isUrgent = false;
    try {
      await this.#exchange();
      await this.#turnCircuits();
    } catch (error) {
      this.noteAway(error);
      throw error;
    }
    this.#noteBack();
    showHealth(this.options.metrics, [...this.#models.values()], this.options.retryBudget);
    return this.#isUrgent;
  }

  /**
   * Lets an event happen to a circuit. False when it changed nothing, because the circuit is another one by now or
   * because it does not mind.
   */
  async change(watched: WatchedModel, event: CircuitEvent, condition: ChangeCondition): Promise<boolean> {
    const { store, circuit, clock } = this.options;
    if (circuit === undefined) return false;
    const before = watched.circuit;
    const reason = reasonOf(watched, event);
    const stored = await store.change(watched, { event, condition, reason }, circuit);
    if (stored === undefined) return false;
    watched.take(stored, clock.monotonicMs());
    const { state, opens } = stored.circuit;
    if (state === 'closed') watched.forgetOutcomes();
    if (state === before.state) return true;
    const openMs = state === 'open' ? openDurationMs(opens, circuit) : undefined;
    const fields = { provider: watched.provider, model: watched.model, reason, opens, openMs };
    if (state === 'open')
      this.options.logger.warn(fields, 'the circuit of a model opened: its messages wait');
    else
      this.options.logger.info(
        fields,
        `the circuit of a model is ${state === 'closed' ? 'closed again' : 'half open'}`,
      );
    return true;
  }

  /** Work that goes on behind a request's back; `close` waits for it. */
  inBackground(work: Promise<unknown>): void {
    this.#pending.add(work);
    const forget = (): boolean => this.#pending.delete(work);
    work.catch((error: unknown) => this.noteAway(error)).finally(forget);
  }

  /** The ledger could not be asked: said once for each time that it is away. */
  noteAway(error: unknown): void {
    if (this.#isAway) return;
    this.#isAway = true;
    this.options.logger.warn(
      { error },
      'the health of models cannot be shared: it is judged by what was known last',
    );
  }

  /** Resolves when nothing is under way any more; tells what was counted last, if the ledger can be asked. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#pending);
    this.#isUrgent = true;
    await this.turn().catch((error: unknown) => this.noteAway(error));
  }

  #noteBack(): void {
    if (this.#isAway) this.options.logger.info({}, 'the health of models is shared again');
    this.#isAway = false;
  }

  #find(provider: string, model: string, nowMs: number): WatchedModel | undefined {
    const name = `${provider}/${model}`;
    const known = this.#models.get(name);
    if (known !== undefined || this.#models.size >= maxModels) return known;
    const watched = new WatchedModel(provider, model, nowMs);
    this.#models.set(name, watched);
    return watched;
  }

  #isDue(): boolean {
    const nowMs = this.options.clock.monotonicMs();
    // A look that failed is repeated by the very next one, so that no idle look stands between failures as a success.
    if (this.#isAway) return true;
    if (this.#isUrgent || nowMs - this.#lookedMs >= idlePauseMs) return true;
    return [...this.#models.values()].some(({ askedMs }) => nowMs - askedMs < activeMs);
  }

  async #exchange(): Promise<void> {
    const { store, clock, circuit, retryBudget } = this.options;
    const takings = [...this.#models.values()].map((watched) => ({
      watched,
      version: watched.version,
      ...watched.takeUnreported(),
    }));
    const told = takings.flatMap(({ counts }) => counts);
    const spans = { circuitMs: circuit?.windowMs ?? 0, retriesMs: retryBudget?.windowMs ?? 0 };
    let readings: Awaited<ReturnType<ModelHealthStore['count']>>;
    try {
      readings = await store.count(told, spans);
    } catch (error) {
      for (const { restore } of takings) restore();
      throw error;
    }
    const nowMs = clock.monotonicMs();
    this.#lookedMs = nowMs;
    const asked = new Map(takings.map(({ watched, version }) => [watched, version]));
    const unseen = new Set(asked.keys());
    for (const { provider, model, ...reading } of readings) {
      const watched = this.#find(provider, model, Number.NEGATIVE_INFINITY);
      if (watched === undefined) continue;
      unseen.delete(watched);
      // What was changed here meanwhile is newer than the answer.
      if ((asked.get(watched) ?? 0) === watched.version) watched.read(reading, told, nowMs);
    }
    for (const watched of unseen) {
      if (asked.get(watched) === watched.version) watched.read(unknownReading, told, nowMs);
    }
  }

  /** Only what was judged may turn: whoever finds another version learns of it at the next look. */
  async #turnCircuits(): Promise<void> {
    const { circuit, clock } = this.options;
    if (circuit === undefined) return;
    for (const watched of this.#models.values()) {
      const event = dueEvent(watched, clock.monotonicMs());
      if (event === undefined || nextCircuit(watched.circuit, event, circuit) === undefined) continue;
      await this.change(watched, event, { version: watched.version });
    }
  }
}

/** A model that the ledger has nothing about. */
const unknownReading = {
  circuit: { state: 'closed', opens: 0, probesOut: 0, probeSuccesses: 0 },
  version: 0,
  openedAt: undefined,
  remainingMs: 0,
  counts: { successes: 0, failures: 0, timeouts: 0 },
  firsts: 0,
  retries: 0,
  sinceProbeMs: 0,
} as const;

function dueEvent(watched: WatchedModel, nowMs: number): CircuitEvent | undefined {
  switch (watched.circuit.state) {
    case 'closed':
      return { kind: 'counted', counts: watched.counts };
    case 'open':
      return watched.openUntilMs <= nowMs ? { kind: 'open_time_over' } : undefined;
    case 'half_open':
      return watched.sinceProbeMs > probePatienceMs ? { kind: 'probes_lost' } : undefined;
  }
}

function reasonOf({ counts }: WatchedModel, event: CircuitEvent): string {
  switch (event.kind) {
    case 'counted': {
      const { successes, failures, timeouts } = counts;
      return `${failures} failures and ${timeouts} time-outs of ${successes + failures + timeouts} requests`;
    }
    case 'open_time_over':
      return 'its time is over';
    case 'probe_wanted':
    case 'probes_lost':
      return 'probes';
    case 'probe_ended':
      return event.result === 'failure' ? 'a probe failed' : 'the probes succeeded';
  }
}
