/*
 * The process of a soak: finds how many stages a second it can do, holds a share of that, and tells period by period
 * what it took. It ends with the bench.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as later } from 'node:timers/promises';
import { type MillraceSubject, openMillrace } from '../stage/millrace-subject.ts';
import { inGroups, type Subject, type SubjectOptions } from '../stage/subject.ts';
import { median } from '../statistics.ts';
import { type ProcessMemory, readProcessMemory, readReachableBytes } from './process-memory.ts';
import type { Period } from './verdict.ts';

/** What the process is to do. */
export interface SoakOrder {
  readonly subject: SubjectOptions;
  /** The share of the full rate that is held. */
  readonly load: number;
  /** Stages a second to hold instead. */
  readonly rate?: number;
  readonly fullSeconds: number;
  readonly periods: number;
  readonly periodSeconds: number;
}

/** What it says. */
export type SoakReport =
  | { readonly kind: 'full'; readonly perSecond: number; readonly targetPerSecond: number }
  | { readonly kind: 'period'; readonly number: number; readonly period: Period }
  | { readonly kind: 'done'; readonly stages: number }
  | { readonly kind: 'failed'; readonly message: string };

const feedEveryMs = 20;
const readEveryMs = 1000;
const lagResolutionMs = 10;
/** How much of the full phase goes by before it counts. */
const warmUpShare = 1 / 3;
const drainWithinMs = 120_000;

let handled = 0;
let fed = 0;

function send(report: SoakReport): void {
  process.send?.(report);
}

async function soak(order: SoakOrder): Promise<void> {
  const subject = await openMillrace(order.subject);
  await subject.start(() => {
    handled += 1;
  });
  const perSecond = await findFullRate(subject, order);
  const targetPerSecond = order.rate ?? perSecond * order.load;
  send({ kind: 'full', perSecond, targetPerSecond });
  await hold(subject, targetPerSecond, order);
  await untilBegun();
  const done = await subject.untilDone();
  if (done !== fed) throw new Error(`${String(done)} stages are done, ${fed} were fed`);
  await subject.stop();
  send({ kind: 'done', stages: fed });
}

/** Keeps more under way than the stage takes at once, and counts. */
async function findFullRate(subject: Subject, { subject: options, fullSeconds }: SoakOrder): Promise<number> {
  const feeder = new Feeder(subject, options.hops);
  const [startedMs, endMs] = [performance.now(), performance.now() + fullSeconds * 1000];
  const countFromMs = startedMs + fullSeconds * 1000 * warmUpShare;
  let first: { readonly handled: number; readonly atMs: number } | undefined;
  while (performance.now() < endMs) {
    const missing = 2 * options.concurrency - (fed - handled);
    if (missing > 0) feeder.feed(missing);
    await later(feedEveryMs);
    if (first === undefined && performance.now() >= countFromMs) first = { handled, atMs: performance.now() };
  }
  if (first === undefined) throw new Error('the full phase is too short');
  const perSecond = ((handled - first.handled) * 1000) / (performance.now() - first.atMs);
  await feeder.untilFed();
  await untilBegun();
  return perSecond;
}

/** Feeds as much as is due at the rate, whatever has happened to the work, for all periods. */
async function hold(
  subject: MillraceSubject,
  perSecond: number,
  { subject: { hops }, periods, periodSeconds }: SoakOrder,
): Promise<void> {
  const feeder = new Feeder(subject, hops);
  const fedBefore = fed;
  const lag = monitorEventLoopDelay({ resolution: lagResolutionMs });
  lag.enable();
  const startedMs = performance.now();
  for (let number = 1; number <= periods; number += 1) {
    lag.reset();
    const [handledBefore, beganMs] = [handled, performance.now()];
    const readings: ProcessMemory[] = [];
    while (performance.now() - startedMs < number * periodSeconds * 1000) {
      const due = ((performance.now() - startedMs) / 1000) * perSecond - (fed - fedBefore);
      // Whole messages only; the rest is due next time.
      const roots = Math.floor(due / hops);
      if (roots > 0) feeder.feed(roots * hops);
      feeder.throwIfFailed();
      if (performance.now() - beganMs >= (readings.length + 1) * readEveryMs)
        readings.push(readProcessMemory());
      await later(feedEveryMs);
    }
    readings.push(readProcessMemory());
    // The histogram holds the time between two of its own timers: what is over their interval is lag.
    const ms = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - lagResolutionMs);
    const lagMs = { p50: ms(lag.percentile(50)), p99: ms(lag.percentile(99)), max: ms(lag.max) };
    const handledPerSecond = ((handled - handledBefore) * 1000) / (performance.now() - beganMs);
    const backlog = fed - handled;
    send({
      kind: 'period',
      number,
      period: {
        handledPerSecond,
        memory: mediansOf(readings),
        rssMost: Math.max(...readings.map(({ rss }) => rss)),
        reachable: readReachableBytes(),
        stores: await subject.storeSizes(),
        lagMs,
        backlog,
      },
    });
  }
  lag.disable();
  await feeder.untilFed();
}

function mediansOf(readings: readonly ProcessMemory[]): ProcessMemory {
  const of = (pick: (reading: ProcessMemory) => number): number => median(readings.map(pick));
  return {
    rss: of(({ rss }) => rss),
    mappedFiles: of(({ mappedFiles }) => mappedFiles),
    heapTotal: of(({ heapTotal }) => heapTotal),
    wasm: of(({ wasm }) => wasm),
    arrayBuffers: of(({ arrayBuffers }) => arrayBuffers),
    native: of(({ native }) => native),
  };
}

/** Adds work without waiting for it; what goes wrong is thrown later. */
class Feeder {
  readonly #subject: Subject;
  readonly #hops: number;
  readonly #open = new Set<Promise<void>>();
  #failure: unknown;

  constructor(subject: Subject, hops: number) {
    this.#subject = subject;
    this.#hops = hops;
  }

  /** Adds so many stages, rounded up to whole messages. */
  feed(stages: number): void {
    const whole = Math.ceil(stages / this.#hops) * this.#hops;
    fed += whole;
    const feeding = inGroups(whole, (size) => this.#subject.feed(size)).catch((error: unknown) => {
      this.#failure ??= error;
    });
    this.#open.add(feeding);
    void feeding.finally(() => this.#open.delete(feeding));
  }

  throwIfFailed(): void {
    if (this.#failure !== undefined) throw new Error('work could not be added', { cause: this.#failure });
  }

  async untilFed(): Promise<void> {
    await Promise.all(this.#open);
    this.throwIfFailed();
  }
}

async function untilBegun(): Promise<void> {
  const deadlineMs = performance.now() + drainWithinMs;
  for (;;) {
    if (handled >= fed) return;
    if (performance.now() > deadlineMs) throw new Error(`${fed - handled} of ${fed} stages were not begun`);
    await later(feedEveryMs);
  }
}

process.on('message', (order: SoakOrder) => {
  soak(order)
    .catch((error: unknown) => {
      const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
      send({ kind: 'failed', message: `${String(error)}${cause}` });
    })
    .finally(() => process.disconnect());
});
process.on('disconnect', () => process.exit());
