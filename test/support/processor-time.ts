import { afterAll, type RunnerTestFile } from 'vitest';
import { processTreeCpuMs } from '../../bench/process-cpu.ts';

/*
 * How much processor time a file takes, its servers and other processes below it included: unlike the time on the clock it
 * says the same on a machine that others use. `project-budgets.ts` lists the files that take most.
 */

declare module 'vitest' {
  interface TaskMeta {
    /** Processor time of the file's process and all below it. */
    processorMs?: number;
  }
}

/** What was used before the file, where files share a process. */
const before = process as { millraceTestsUsedMs?: number };

if (process.platform === 'linux') {
  // oxlint-disable-next-line no-empty-pattern -- Vitest reads from the pattern which fixtures are wanted: none
  afterAll(({}, file) => {
    const usedMs = processTreeCpuMs(process.pid);
    (file as RunnerTestFile).meta.processorMs = usedMs - (before.millraceTestsUsedMs ?? 0);
    before.millraceTestsUsedMs = usedMs;
  });
}
