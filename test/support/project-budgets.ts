import type { Reporter, TestModule } from 'vitest/node';

/** A project of the configuration, with the seconds that it may take. */
interface BudgetedProject {
  readonly name: string;
  readonly budgetSeconds: number;
}

/**
 * Prints what each project took of its budget, from the start of its first file to the end of its last. Over it fails
 * nothing: how long a test takes says as much about the machine as about the test.
 */
export class ProjectBudgets implements Reporter {
  readonly #budgets: ReadonlyMap<string, number>;
  readonly #times = new Map<string, { readonly beganMs: number; endedMs: number }>();

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
  }
}
