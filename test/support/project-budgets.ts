import type { Reporter, TestModule } from 'vitest/node';

/** A project of the configuration, with the seconds that it may take. */
interface BudgetedProject {
  readonly name: string;
  readonly budgetSeconds: number;
}

/** What a file took of the processors. */
interface FileTime {
  readonly file: string;
  readonly processorMs: number;
  /** From the start of its first hook or test to the end of its last: much more than the processor time where it waits. */
  readonly elapsedMs: number;
}

const listedFiles = 10;

/**
 * Prints what each project took of its budget, from the start of its first file to the end of its last, and which files took
 * most processor time; MILLRACE_TEST_TIMES=all lists every file. Over the budget fails nothing: how long a test takes says as much about the
 * machine as about the test.
 */
export class ProjectBudgets implements Reporter {
  readonly #budgets: ReadonlyMap<string, number>;
  readonly #times = new Map<string, { readonly beganMs: number; endedMs: number }>();
  readonly #files: FileTime[] = [];

  constructor(projects: readonly BudgetedProject[]) {
    this.#budgets = new Map(projects.map(({ name, budgetSeconds }) => [name, budgetSeconds]));
  }

  onTestModuleQueued(module: TestModule): void {
    const { name } = module.project;
    const nowMs = performance.now();
    if (!this.#times.has(name)) this.#times.set(name, { beganMs: nowMs, endedMs: nowMs });
  }

  onTestModuleEnd(module: TestModule): void {
    const times = this.#times.get(module.project.name);
    if (times !== undefined) times.endedMs = performance.now();
    const { processorMs } = module.meta();
    if (processorMs === undefined) return;
    const { duration, collectDuration, setupDuration } = module.diagnostic();
    const elapsedMs = duration + collectDuration + setupDuration;
    this.#files.push({ file: module.relativeModuleId, processorMs, elapsedMs });
  }

  onTestRunEnd(): void {
    for (const [name, { beganMs, endedMs }] of this.#times) {
      const seconds = (endedMs - beganMs) / 1000;
      const budget = this.#budgets.get(name) ?? 0;
      console.log(
        `${name.padEnd(10)} ${seconds.toFixed(0)} s of ${budget} s${seconds > budget ? ': over its budget' : ''}`,
      );
    }
    this.#times.clear();
    this.#printFiles();
  }

  #printFiles(): void {
    const files = this.#files.splice(0).toSorted((left, right) => right.processorMs - left.processorMs);
    if (files.length < 2) return;
    const sumMs = files.reduce((sum, { processorMs }) => sum + processorMs, 0);
    console.log(`processor time (and time elapsed): ${inSeconds(sumMs)} in ${files.length} files, most in`);
    const isAll = process.env['MILLRACE_TEST_TIMES'] === 'all';
    for (const { file, processorMs, elapsedMs } of isAll ? files : files.slice(0, listedFiles))
      console.log(
        `${inSeconds(processorMs).padStart(9)} ${`(${inSeconds(elapsedMs)})`.padStart(10)} ${file}`,
      );
  }
}

function inSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
