import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { longestFirst } from './test/support/longest-first.ts';
import { shortRunFlags } from './test/support/short-run-flags.ts';
import { ProjectBudgets } from './test/support/project-budgets.ts';
import { temporaryFiles } from './test/support/temporary-files.ts';

/*
 * Three projects, one after another; `npm run test:unit` (or :stores, :end-to-end) runs one. The budget is what a project
 * may take on two free cores; every run prints what each took of it.
 */

/** Two cores: functions keep a worker each busy; what waits for servers and processes leaves room for a third. */
const workers = { unit: 2, stores: 3, 'end-to-end': 3 } as const;

/** Files of the last two that take longest, longest first. */
const longest = [
  'test/chaos/chaos.test.ts',
  'test/chaos/sabotage.test.ts',
  'test/alerts/alerting.test.ts',
  'test/scenarios/demo.test.ts',
  'test/scenarios/batch-killed.test.ts',
  'test/scenarios/package.test.ts',
  'test/boards/boards-verify.test.ts',
  'test/scenarios/package-production.test.ts',
  'test/scenarios/hostile-provider.test.ts',
  'test/scenarios/command-line.test.ts',
  'test/integration/provider-mode.test.ts',
  'test/integration/provider-batches.test.ts',
  'test/integration/every-endpoint.test.ts',
  'test/integration/batch-faults.test.ts',
  'test/integration/capabilities.test.ts',
  'test/integration/erase.test.ts',
  'test/integration/benches.test.ts',
  'test/integration/provider-outage.test.ts',
  'test/properties/spend.test.ts',
  'test/integration/periodic-statements.test.ts',
  'test/integration/two-versions.test.ts',
  'test/integration/model-limits.test.ts',
  'test/integration/dead-letters-command.test.ts',
  'test/integration/usage-export.test.ts',
  'test/contracts/queue.test.ts',
  'test/contracts/sql-database.test.ts',
];

/** Integration tests that need a process to themselves. */
const ownProcess = [
  // Replaces modules of Node, which other files of its process would see.
  'test/support/required-programs.test.ts',
  // Only the first application of a process logs requests.
  'test/integration/request-logs.test.ts',
  'test/integration/http-server.test.ts',
];

/** Functions over values, boards and repository rules included: nothing is started. */
const unit = {
  name: 'unit',
  budgetSeconds: 30,
  include: ['src/**/*.test.ts', 'dashboards/**/*.test.ts'],
  exclude: [],
  // Files share a worker with its modules loaded once: a third of the CPU time. `leaves-nothing.ts` says who leaks.
  pool: 'threads',
  isolate: false,
  setupFiles: ['test/support/leaves-nothing.ts'],
} as const;

/** One part of Millrace on real stores. */
const stores = {
  name: 'stores',
  budgetSeconds: 260,
  include: ['test/{contracts,examples,integration,properties,repository,support}/**/*.test.ts'],
  exclude: ownProcess,
  pool: 'forks',
  isolate: false,
  setupFiles: ['test/support/processor-time.ts', 'test/support/leaves-nothing.ts'],
} as const;

/** Whole processes as users start them, the demo, faults, boards and alerts. Each file has its process to itself. */
const endToEnd = {
  name: 'end-to-end',
  budgetSeconds: 300,
  include: ['test/{alerts,boards,chaos,scenarios}/**/*.test.ts', ...ownProcess],
  exclude: [],
  pool: 'forks',
  isolate: true,
  // A process for each file ends before optimised code of PGlite has paid.
  execArgv: shortRunFlags,
  setupFiles: ['test/support/processor-time.ts'],
} as const;

const projects = [unit, stores, endToEnd];

const compileCache = join(import.meta.dirname, 'node_modules', '.cache', 'millrace-tests');

export default defineConfig({
  test: {
    reporters: ['default', new ProjectBudgets(projects)],
    sequence: { sequencer: longestFirst(longest) },
    projects: projects.map(({ name, pool, isolate, ...project }, groupOrder) => ({
      test: {
        name,
        pool,
        isolate,
        include: [...project.include],
        setupFiles: [...project.setupFiles],
        globalSetup: name === 'unit' ? [] : ['test/support/shared-servers.ts'],
        exclude: ['**/node_modules/**', 'dist/**', ...project.exclude],
        // Programs that tests start from their sources find the compiled code of the ones before: half the time of a start.
        env: name === 'unit' ? {} : { NODE_COMPILE_CACHE: compileCache, TMPDIR: temporaryFiles(name) },
        testTimeout: 120_000,
        hookTimeout: 120_000,
        // A condition is waited for as long as a loaded machine may need; Vitest's own limit is a second.
        expect: { poll: { timeout: 30_000, interval: 20 } },
        maxWorkers: workers[name],
        sequence: { groupOrder },
      },
    })),
  },
});
