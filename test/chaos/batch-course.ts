import type { BatchReading, Steered } from './batch-evidence.ts';
import { type PlannedBatch, plannedBatches, type Steering, type SteeringStep } from './batch-workload.ts';
import type { HostProcess } from './host-process.ts';
import type { BatchProgress, Progress } from './orders.ts';

/* The batches of a run from outside: sent when their time has come, steered as planned, and read when they are over. */

const over: ReadonlySet<string> = new Set(['succeeded', 'failed', 'cancelled', 'expired']);

/** Whether nothing happens to the batch any more by itself. */
export function isBatchOver({ state }: Pick<BatchProgress, 'state'>): boolean {
  return over.has(state);
}

interface Course {
  readonly planned: PlannedBatch;
  readonly due: SteeringStep[];
  isSubmitted: boolean;
  stepMs: number;
  /** What was read first of which end. */
  early: { readonly endedAt: string; readonly output: string } | undefined;
  acting: Promise<void> | undefined;
}

export class BatchCourse {
  readonly steered: Steered[] = [];
  readonly #front: HostProcess;
  readonly #courses: readonly Course[];
  #isHealed = false;

  /** Without batches in a run that has none. */
  constructor(front: HostProcess, run: { readonly seed: number; readonly messages: number } | undefined) {
    this.#front = front;
    const batches = run === undefined ? [] : plannedBatches(run.seed, run.messages);
    this.#courses = batches.map((planned) => ({
      planned,
      due: [...planned.steps],
      isSubmitted: false,
      stepMs: performance.now(),
      early: undefined,
      acting: undefined,
    }));
  }

  get planned(): readonly PlannedBatch[] {
    return this.#courses.map(({ planned }) => planned);
  }

  /** From now on what stands still is let go on, and nothing waits for its share of the work. */
  heal(): void {
    this.#isHealed = true;
  }

  /** How many are not sent, or not over, or have something before them still. */
  open(progress: Progress): number {
    return this.#courses.filter((course) => {
      const seen = progressOf(course, progress);
      return seen === undefined || !isBatchOver(seen) || course.due.length > 0 || course.acting !== undefined;
    }).length;
  }

  /** Begins what is due, for each batch one thing after another. */
  advance(progress: Progress, share: number): void {
    for (const course of this.#courses) {
      course.acting ??= this.#next(course, progress, share)
        // Whoever was asked died, or its stores are away: it is asked again at the next look.
        ?.catch(() => undefined)
        .finally(() => {
          course.acting = undefined;
        });
    }
  }

  /** Resolves when nothing is being asked. */
  async settled(): Promise<void> {
    await Promise.all(this.#courses.flatMap(({ acting }) => acting ?? []));
  }

  /** What is said of each batch now, with its output twice. */
  async readAll(): Promise<readonly BatchReading[]> {
    await this.settled();
    const readings: BatchReading[] = [];
    for (const { planned, early } of this.#courses) {
      const batch = planned.index;
      const account = await this.#front.ask({ kind: 'batch_accounts', batch });
      const outputs: string[] = early === undefined ? [] : [early.output];
      if (isBatchOver(account)) {
        for (let time = 0; time < 2; time += 1)
          outputs.push(await this.#front.ask({ kind: 'batch_output', batch }));
      }
      readings.push({ batch, account, outputs });
    }
    return readings;
  }

  #next(course: Course, progress: Progress, share: number): Promise<void> | undefined {
    if (!course.isSubmitted) {
      return this.#isHealed || share >= course.planned.atShare ? this.#submit(course) : undefined;
    }
    const seen = progressOf(course, progress);
    if (seen === undefined) return undefined;
    const [step] = course.due;
    if (step !== undefined && this.#isDue(course, step, seen)) return this.#steer(course, step);
    // What halted is looked at by nobody else; what is paused is resumed by its plan.
    if (this.#isHealed && (seen.state === 'halted' || (seen.state === 'paused' && step === undefined)))
      return this.#ask(course, 'resume');
    if (isBatchOver(seen) && seen.endedAt !== null && course.early?.endedAt !== seen.endedAt)
      return this.#readEarly(course, seen.endedAt);
    return undefined;
  }

  #isDue({ stepMs }: Course, { what, atShare, afterMs }: SteeringStep, seen: BatchProgress): boolean {
    if (performance.now() - stepMs < afterMs) return false;
    // What was cancelled is run again when it is over.
    if (what === 'retry' && seen.state === 'cancelling') return false;
    return this.#isHealed || isBatchOver(seen) || seen.ended >= atShare * seen.items;
  }

  async #submit(course: Course): Promise<void> {
    await this.#front.ask({ kind: 'batch_submit', batch: course.planned.index });
    course.isSubmitted = true;
  }

  async #steer(course: Course, { what }: SteeringStep): Promise<void> {
    await this.#ask(course, what);
    course.due.shift();
    course.stepMs = performance.now();
  }

  async #ask({ planned: { index: batch } }: Course, what: Steering): Promise<void> {
    const { isDone } = await this.#front.ask({ kind: 'batch_steer', batch, what });
    this.steered.push({ batch, what, isDone });
  }

  async #readEarly(course: Course, endedAt: string): Promise<void> {
    const output = await this.#front.ask({ kind: 'batch_output', batch: course.planned.index });
    course.early = { endedAt, output };
  }
}

function progressOf({ planned }: Course, progress: Progress): BatchProgress | undefined {
  return progress.batches.find(({ name }) => name === planned.name);
}
