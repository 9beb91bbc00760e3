import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { JobNotification } from '../../drivers/queue/job-notification.ts';
import type { QueueConsumer, QueueDriver } from '../../drivers/queue/queue.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { kindOfError, LogPace } from '../../telemetry/log-pace.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { EngineMetrics } from '../metrics/engine-metrics.ts';
import type { LocalSlot } from './hand-over.ts';
import type { MessageRunner } from './message-runner.ts';
import type { Publisher } from './publisher.ts';
import type { Run } from './run.ts';
import type { StageDefinition } from './stage-definition.ts';
import type { StageCapacity } from './stage-capacity.ts';
import type { RegisteredStage } from './stage-registry.ts';
import { WorkerSlots } from './worker-slots.ts';
import type { BoundLevel } from '../../telemetry/bounds.ts';

/*
 * Claims messages of a stage for the slots that are free, in groups, straight from the ledger; one claim at a time. A
 * notification only says that there may be work:
 *
 *   notified (by this process, or by the queue) ─► claim for free slots ─► as many as asked: claim again for the next free slots
 *                                                                     └─► fewer: nothing more is due; wait for a notification
 *
 * What a run emits for a stage with free slots, of which nothing waits, is leased as it is written and needs no claim (hand-over.ts).
 *
 * A process without a free slot takes no notification from the queue, and one whose claim came back full tells the
 * others, so that none hides work that another could do. Whatever is lost of this, the sweeper makes up for.
 */

export interface StageWorkerOptions {
  readonly queues: QueueDriver;
  readonly runner: MessageRunner;
  readonly publisher: Publisher;
  /** How many messages at once, and whether any. */
  readonly gate: StageCapacity;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: EngineMetrics;
}

/** Who wants the stage to take nothing: an operator's block, a limit, or a lack of free slots, which stops the queue only. */
type PauseReason = 'paused' | 'limited' | 'busy';

/** The least and the most that one claim asks for, while there are slots. */
const leastAsked = 16;
const mostAsked = 400;
/** How long a notification of the queue waits for a free slot here before it is left to others. */
const patienceMs = 50;
/** How often others are notified that there is more than this process takes. */
const tellOthersEveryMs = 250;
/** When to claim again after a claim that failed. */
const afterFailureMs = 1000;

export class StageWorker {
  readonly #stage: RegisteredStage;
  readonly #options: StageWorkerOptions;
  readonly #slots: WorkerSlots;
  readonly #running = new Set<Promise<void>>();
  readonly #pace: LogPace;
  readonly #pausedBy = new Set<PauseReason>();
  readonly #stopping = new AbortController();
  #consumer: QueueConsumer | undefined;
  #pausing: Promise<void> = Promise.resolve();
  /** Whether a claim may find something. */
  #mayHaveWork = true;
  /** The message that a delayed notification was about. */
  #askedAbout: Uuid | undefined;
  /** Messages that this process just wrote and that no claim has asked for yet. */
  #expected = 0;
  #asks = leastAsked;
  #isClaiming = false;
  #toldOthersMs = -Infinity;
  /** Runs belong to nobody's request: who admits, or made a claim begin, may have kept things of its own in the async context. */
  readonly #outside = AsyncLocalStorage.snapshot();

  constructor(stage: RegisteredStage, options: StageWorkerOptions) {
    this.#stage = stage;
    this.#options = options;
    this.#pace = new LogPace(options.clock);
    const { owner, name } = stage.definition;
    this.#slots = new WorkerSlots(options.gate.concurrency, (busy) =>
      options.metrics.set('worker_active', { owner, stage: name }, busy),
    );
  }

  /** How near its slots are to their limit. */
  get bound(): BoundLevel {
    const slots = this.#slots;
    return {
      get limit() {
        return slots.capacity;
      },
      takePeak: () => slots.takeBusyPeak(),
    };
  }

  get definition(): StageDefinition {
    return this.#stage.definition;
  }

  /** Whether a message of it is being worked on here. */
  get isWorking(): boolean {
    return this.#running.size > 0;
  }

  async start(): Promise<void> {
    const { queues, publisher, metrics } = this.#options;
    const { name: stage, owner } = this.definition;
    metrics.set('worker_concurrency', { owner, stage }, this.#slots.capacity);
    metrics.set('worker_active', { owner, stage }, 0);
    const onError = (error: Error): void => this.#complain(error);
    if (queues.kind === 'inline') {
      const onTaken = ({ messageId }: JobNotification): Promise<void> => this.#workOne(messageId);
      this.#consumer = await queues
        .queue(stage)
        .consume({ mayTake: () => Promise.resolve(true), onTaken, onError });
      publisher.notifyOthers(stage);
      return;
    }
    publisher.takeLocally(stage, {
      claims: () => this.#takeLocally(),
      slotForNew: () => this.#slotForNew(),
    });
    this.#consumer = await queues.queue(stage).consume({
      mayTake: () => this.#mayTake(),
      onTaken: ({ messageId }) => this.#told(messageId),
      onError,
    });
    if (this.#pausedBy.size > 0) await this.#consumer.pause();
    this.#claimSoon();
  }

  /** Takes nothing while the stage is paused; what is under way goes on. */
  setPaused(isPaused: boolean): Promise<void> {
    return this.#setPaused('paused', isPaused);
  }

  /** Follows what its gate decides by what it has seen. `lagMs` is how late the event loop runs. */
  async adapt(lagMs: number): Promise<void> {
    const { isPaused } = this.#options.gate.decide(lagMs);
    this.#followGate();
    await this.#setPaused('limited', isPaused);
  }

  /** Takes no more; resolves when what is under way has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    // A pause that failed was reported to whoever asked for it; the end is not held up by it.
    await Promise.allSettled([this.#pausing]);
    await this.#consumer?.close();
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }

  /** One change after another: two that crossed could leave the consumer in the state of the older one. */
  #setPaused(reason: PauseReason, isPaused: boolean): Promise<void> {
    if (this.#stopping.signal.aborted || this.#pausedBy.has(reason) === isPaused) return Promise.resolve();
    const was = this.#pausedBy.size > 0;
    if (isPaused) this.#pausedBy.add(reason);
    else this.#pausedBy.delete(reason);
    // Of what was released meanwhile nobody was notified here.
    if (!isPaused && reason !== 'busy') this.#told(undefined);
    const is = this.#pausedBy.size > 0;
    if (was === is) return Promise.resolve();
    const changing = this.#pausing.then(() => (is ? this.#consumer?.pause() : this.#consumer?.resume()));
    // The next change comes after this one, whatever happens to it.
    this.#pausing = changing.catch(() => undefined);
    return changing;
  }

  get #mayClaim(): boolean {
    return !this.#stopping.signal.aborted && !this.#pausedBy.has('paused') && !this.#pausedBy.has('limited');
  }

  /** A message that this process wrote: false when it has no slot for it. */
  #takeLocally(): boolean {
    if (!this.#mayClaim) return false;
    this.#mayHaveWork = true;
    if (this.#expected >= this.#slots.free) return false;
    this.#expected += 1;
    this.#claimSoon();
    return true;
  }

  /** A slot for a message that this process is about to write; none while a claim may find others, which go before it. */
  #slotForNew(): LocalSlot | undefined {
    if (!this.#mayClaim || this.#mayHaveWork || this.#slots.takeFree(1) === 0) return undefined;
    const { runner, gate } = this.#options;
    const release = once(() => this.#release());
    return {
      leaseMs: runner.leaseMsOf(this.definition.name),
      release,
      begin: async (message, lease) => {
        const run = runner.begin(this.#stage, message, lease, release);
        gate.runBegan();
        // Whoever wrote it is answered first.
        const kept = this.#keep(nextTurn().then(() => this.#work(run)));
        if (this.#stopping.signal.aborted) await kept;
      },
    };
  }

  /** Whether a notification of the queue is for this process: not when it has no slot for a while. */
  async #mayTake(): Promise<boolean> {
    if (this.#slots.free === 0) await this.#untilFree();
    if (this.#mayClaim && this.#slots.free > 0) return true;
    // It stays in the queue for the others. How the pause ends is reported to whoever resumes.
    this.#setPaused('busy', true).catch((error: unknown) => this.#complain(error));
    return false;
  }

  async #untilFree(): Promise<void> {
    const waiting = new AbortController();
    const signal = AbortSignal.any([waiting.signal, this.#stopping.signal]);
    const patience = this.#options.clock.sleep(patienceMs, signal).catch(() => undefined);
    await Promise.race([this.#slots.untilFree(signal), patience]);
    waiting.abort();
  }

  #told(messageId: Uuid | undefined): void {
    this.#mayHaveWork = true;
    this.#askedAbout ??= messageId;
    this.#claimSoon();
  }

  /** After what else happens in this turn: messages that were committed together are claimed together. */
  #claimSoon(): void {
    queueMicrotask(() => this.#claimForFreeSlots());
  }

  #claimForFreeSlots(): void {
    if (this.#isClaiming || !this.#mayHaveWork || !this.#mayClaim) return;
    const count = this.#slots.takeFree(Math.min(mostAsked, Math.max(this.#asks, this.#expected)));
    if (count === 0) return;
    this.#expected = 0;
    this.#mayHaveWork = false;
    this.#isClaiming = true;
    const about = this.#askedAbout;
    this.#askedAbout = undefined;
    const claiming = this.#claim(count, about).finally(() => {
      this.#isClaiming = false;
      this.#claimForFreeSlots();
    });
    void this.#keep(claiming);
  }

  /** Claims for so many slots, which are taken, and begins what was got. */
  async #claim(count: number, about: Uuid | undefined): Promise<void> {
    const claimed = await Promise.all(
      Array.from({ length: count }, (_, index) => this.#claimOne(index === 0 ? about : undefined)),
    );
    const runs = claimed.filter((run) => run !== undefined).length;
    this.#asks = runs === count ? Math.min(mostAsked, count * 2) : Math.max(leastAsked, runs);
    if (runs < count) return;
    this.#mayHaveWork = true;
    this.#tellOthers();
  }

  async #claimOne(about: Uuid | undefined): Promise<Run | undefined> {
    const run = await this.#tryClaim(about);
    if (run !== undefined) void this.#keep(this.#work(run));
    return run;
  }

  /** Claims with a slot, which is free again when there was nothing to claim, or when the run is durable. */
  async #tryClaim(about: Uuid | undefined): Promise<Run | undefined> {
    const { runner, gate } = this.#options;
    const release = once(() => this.#release());
    try {
      const run = await runner.claim(this.#stage, about, release);
      if (run === undefined) release();
      else gate.runBegan();
      return run;
    } catch (error) {
      release();
      this.#failed(error);
      return undefined;
    }
  }

  #failed(error: unknown): void {
    this.#complain(error);
    if (!this.#stopping.signal.aborted) void this.#keep(this.#claimAfter(afterFailureMs));
  }

  async #claimAfter(delayMs: number): Promise<void> {
    const { signal } = this.#stopping;
    await this.#options.clock.sleep(delayMs, signal).catch(() => undefined);
    if (!signal.aborted) this.#told(undefined);
  }

  async #work(run: Run): Promise<void> {
    const { runner, gate } = this.#options;
    try {
      await this.#outside(() => runner.work(run));
    } finally {
      gate.runEnded();
      run.onDurable();
      this.#followGate();
    }
  }

  /** For the test kit: one message to its end, and again while there are more. */
  async #workOne(about: Uuid | undefined): Promise<void> {
    this.#slots.takeFree(1);
    const run = await this.#tryClaim(about);
    if (run === undefined) return;
    await this.#work(run);
    this.#options.publisher.notifyOthers(this.definition.name);
  }

  #release(): void {
    this.#slots.release();
    if (this.#pausedBy.has('busy')) {
      this.#setPaused('busy', false).catch((error: unknown) => this.#complain(error));
    }
    this.#claimSoon();
  }

  #tellOthers(): void {
    const { queues, publisher, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    if (queues.kind === 'memory' || nowMs < this.#toldOthersMs + tellOthersEveryMs) return;
    this.#toldOthersMs = nowMs;
    publisher.notifyOthers(this.definition.name);
  }

  /** Goes on without anybody waiting for it but the end of the worker. */
  #keep(work: Promise<void>): Promise<void> {
    const kept = work
      .catch((error: unknown) => this.#complain(error))
      .finally(() => this.#running.delete(kept));
    this.#running.add(kept);
    return kept;
  }

  #followGate(): void {
    const { gate, metrics } = this.#options;
    if (gate.concurrency === this.#slots.capacity) return;
    this.#slots.setCapacity(gate.concurrency);
    const { owner, name: stage } = this.definition;
    metrics.set('worker_concurrency', { owner, stage }, gate.concurrency);
    this.#claimSoon();
  }

  #complain(error: unknown): void {
    // A message that was claimed keeps its lease until that runs out; then the sweeper brings it back.
    const suppressed = this.#pace.suppressedBefore(kindOfError(error));
    if (suppressed === undefined) return;
    this.#options.logger.error(
      { error, stage: this.definition.name, suppressed },
      'messages could not be claimed or a run was given up; the sweeper brings them back',
    );
  }
}

function once(act: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    act();
  };
}
