import { AppError } from '../../../kernel/app-error.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { ownTurn } from '../../../kernel/event-loop-turn.ts';
import type { MessageBodies } from '../../../engine/pipeline/message-bodies.ts';
import type { Logger } from '../../../telemetry/logger.ts';
import type { BatchMetrics } from '../batch-metrics.ts';
import type { ItemValidator } from './batch-validator.ts';
import type { BatchValidators } from './batch-validators.ts';
import { CheckTurns, type RunningCheck } from './check-turns.ts';
import { askValidator, badCheck } from './item-check.ts';
import type { EndedCheck, OpenCheck, QualityLedger, UncheckedBatch } from './quality-ledger.ts';

/*
 * The quality gate of batches, in the process that has the maintenance role:
 *
 *   all items have ended, enough succeeded ─► a sample is drawn, once ─► its checks are made, some at a time, each recorded once
 *     ─► the batch ends as `BatchRunner` ends batches: succeeded, or failed below its minimum
 *
 * A turn begins what there is room for, waits until a check ends or for a second, and records what has ended; checks go on from turn to turn,
 * so that none waits for another. A process that dies leaves checks open; the next one makes those. Nothing that the host's stop cuts off is
 * recorded.
 */

/** Batches that are looked at, and those of them that a turn begins checks of. */
const maxListed = 5000;
const maxBatches = 50;
const longestWaitMs = 1000;

export interface QualityGateOptions {
  readonly ledger: QualityLedger;
  readonly validators: BatchValidators;
  readonly bodies: Pick<MessageBodies, 'read'>;
  readonly metrics: BatchMetrics;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Found {
  readonly check: RunningCheck;
  readonly ended: EndedCheck;
}

export class QualityGate {
  readonly #options: QualityGateOptions;
  readonly #turns = new CheckTurns();
  /** Results that are to be recorded. */
  readonly #found: Found[] = [];
  readonly #asks = new Set<Promise<void>>();
  /** Why items could not be read, which is not their validators' fault. */
  readonly #failures: Error[] = [];
  #wake: (() => void) | undefined;

  constructor(options: QualityGateOptions) {
    this.#options = options;
  }

  /** One turn; true when there is more to do at once. */
  async turn(signal: AbortSignal): Promise<boolean> {
    await this.#begin(signal);
    await this.#waitForAnEnd(signal);
    // What was cut off says nothing about the items.
    if (signal.aborted) {
      await Promise.all(this.#asks);
      return false;
    }
    const recorded = await this.#record();
    const [failure] = this.#failures.splice(0);
    if (failure !== undefined) throw failure;
    return recorded || this.#turns.isBusy;
  }

  /** Begins checks of batches in turn, as many as there is room for. */
  async #begin(signal: AbortSignal): Promise<void> {
    const { ledger, validators, logger } = this.#options;
    const { names } = validators;
    for (const { id, origin, cause } of await ledger.haltUncheckable(names))
      logger.warn({ batch: id, name: origin.batch, cause }, 'a batch halts: nothing can check its quality');
    const listed = await ledger.listUnchecked(names, maxListed);
    if (listed.length < maxListed) this.#turns.keepOnly(listed);
    let begun = 0;
    for (const batch of this.#turns.inTurn(listed)) {
      if (signal.aborted || begun === maxBatches) return;
      const validator = validators.find(batch.validator);
      const room = this.#turns.roomOf(batch);
      if (validator === undefined || room === 0) continue;
      begun += 1;
      await this.#beginOf(batch, { validator, room, signal });
    }
  }

  async #beginOf(
    batch: UncheckedBatch,
    {
      validator,
      room,
      signal,
    }: { readonly validator: ItemValidator; readonly room: number; readonly signal: AbortSignal },
  ): Promise<void> {
    const { ledger, clock } = this.#options;
    if (!batch.isDrawn) {
      await ledger.draw(batch);
      this.#turns.drawn(batch);
    }
    const choice = this.#turns.choose(batch, room, clock.monotonicMs());
    if (choice === undefined) return;
    const open = await ledger.listOpen(batch.id, choice, room);
    if ('only' in choice) {
      const known = new Set(open.map(({ position }) => position));
      this.#turns.drop(
        batch,
        choice.only.filter((position) => !known.has(position)),
      );
    }
    for (const item of open) {
      const check = this.#turns.begin(batch, item.position);
      const ask = this.#ask(validator, { batch, item, check, stopping: signal }).finally(() => {
        this.#asks.delete(ask);
        this.#wake?.();
      });
      this.#asks.add(ask);
    }
  }

  /** Until a check ends, a second passes, or the host stops. */
  async #waitForAnEnd(signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#asks.size === 0 || this.#found.length > 0 || this.#failures.length > 0)
      return;
    const awake = new AbortController();
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    const either = AbortSignal.any([signal, awake.signal]);
    const slept = this.#options.clock.sleep(longestWaitMs, either).catch((error: unknown) => {
      if (!either.aborted) throw error;
    });
    await Promise.race([woken, slept]);
    this.#wake = undefined;
    awake.abort(new Error('a check has ended'));
    await slept;
    // What ends together is recorded together.
    await ownTurn();
  }

  /** Records what has ended; answers whether anything had. */
  async #record(): Promise<boolean> {
    const { ledger, metrics } = this.#options;
    const hadFound = this.#found.length > 0;
    for (const [batchId, found] of Map.groupBy(this.#found, ({ check }) => check.batch.id)) {
      const current = found.filter(({ check }) => !this.#turns.isOutdated(check));
      const { passed, failed } = await ledger.record(
        batchId,
        current.map(({ ended }) => ended),
      );
      for (const one of found) {
        if (this.#turns.isOutdated(one.check)) this.#turns.cutOff(one.check);
        else this.#turns.end(one.check);
        this.#found.splice(this.#found.indexOf(one), 1);
      }
      metrics.increment('batch_quality_checks_total', { result: 'passed' }, passed);
      metrics.increment('batch_quality_checks_total', { result: 'failed' }, failed);
    }
    return hadFound;
  }

  /** Makes one check. Never throws. */
  async #ask(
    validator: ItemValidator,
    {
      batch,
      item: open,
      check,
      stopping,
    }: {
      readonly batch: UncheckedBatch;
      readonly item: OpenCheck;
      readonly check: RunningCheck;
      readonly stopping: AbortSignal;
    },
  ): Promise<void> {
    const { clock } = this.#options;
    const { position, itemId: id, team, customer, labels, outputs } = open;
    const end = (ended: EndedCheck): void => void this.#found.push({ check, ended });
    if (outputs === undefined) {
      end(badCheck(position, 'Its output was erased before it was checked.'));
      return;
    }
    let data: unknown;
    try {
      data = await this.#dataOf(open);
    } catch (error) {
      // A store that is away fails the turn, and the check stays open.
      this.#turns.putBack(check, clock.monotonicMs());
      this.#failures.push(
        error instanceof Error ? error : new Error('an item cannot be read', { cause: error }),
      );
      return;
    }
    const item = { batch: batch.name, id, position, team, customer, labels, data };
    const answer = await askValidator({ validator, item, outputs, clock, stopping });
    if (answer.kind === 'cut_off' || this.#turns.isOutdated(check)) this.#turns.cutOff(check);
    else if (answer.kind === 'verdict') end(answer.check);
    else this.#noteFault(check, answer, end);
  }

  /** What failed is asked again later, a few times; what is no verdict is not. */
  #noteFault(
    check: RunningCheck,
    answer: { readonly kind: 'no_verdict' | 'failed'; readonly problem: string; readonly error?: unknown },
    end: (ended: EndedCheck) => void,
  ): void {
    const { clock, logger, metrics } = this.#options;
    const { batch, position, failures } = check;
    const what = { batch: batch.id, position, failures: failures + 1, problem: answer.problem };
    if (answer.kind === 'no_verdict') {
      logger.error(what, 'a validator of a batch is faulty, it gives no verdict: the check has failed');
      end(badCheck(position, `The validator is faulty: ${answer.problem}`));
    } else if (this.#turns.postpone(check, clock.monotonicMs())) {
      metrics.increment('batch_quality_checks_total', { result: 'asked_again' });
      logger.warn({ ...what, error: answer.error }, 'a validator of a batch failed: it is asked again later');
    } else {
      logger.error({ ...what, error: answer.error }, 'a validator of a batch failed: the check has failed');
      end(badCheck(position, `The validator failed, ${failures + 1} times: ${answer.problem}`));
    }
  }

  async #dataOf({ body }: OpenCheck): Promise<unknown> {
    if (body === undefined) return undefined;
    try {
      return body.kind === 'inline'
        ? (JSON.parse(body.json) as unknown)
        : await this.#options.bodies.read(body);
    } catch (error) {
      // What is lost is lost.
      if (error instanceof AppError && error.code === 'MILLRACE_PAYLOAD_MISSING') return undefined;
      throw error;
    }
  }
}
