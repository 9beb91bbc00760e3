import { join, relative } from 'node:path';
import { AppError } from '../../kernel/app-error.ts';
import { packageRoot } from '../../kernel/package-root.ts';
import { type CommandContext, exitCodes, print, tell } from '../../terminal/command-context.ts';
import { aborted, type ShutdownSignals, watchShutdownSignals } from '../../terminal/shutdown-signals.ts';
import type { DemoApp } from './demo-app.ts';
import { type DemoFolder, findUnfinishedRuns, markFinished, openDemoFolder } from './demo-folder.ts';
import { collectReport, type DemoReport, reportDocument } from './demo-report.ts';
import { reportText } from './demo-tables.ts';
import { findDisagreements } from './demo-verdict.ts';
import {
  type ExampleDocument,
  type ExamplePipeline,
  loadExample,
  loadModelChoice,
} from './example-pipeline.ts';
import { progressDisplay } from './progress.ts';
import { readReusedCalls } from './reused-calls.ts';
import { badDay, type SimulatorChild, startSimulatorChild } from './simulator-child.ts';
import { tellAddresses } from './stay.ts';

export interface DemoOptions {
  readonly documents?: string;
  readonly limit?: number;
  readonly data?: string;
  readonly stay?: boolean;
  readonly json?: boolean;
  readonly faults?: boolean;
  readonly seed?: number;
  readonly concurrency?: number;
}

/** How many documents are admitted at once, by default. */
const admissionConcurrency = 64;
const idlePauseMs = 100;

/*
 * Everything that a run is lies in its folder, and every step can be taken again: documents are admitted under ids that
 * follow from their paths, the ledger knows what is done, and the bill goes on where it stopped. So a run that was
 * killed is continued by starting it again.
 */

/** Runs the demo. Resolves with the exit code after everything has stopped. */
export async function runDemo(context: CommandContext, options: DemoOptions): Promise<number> {
  const startedMs = context.clock.monotonicMs();
  const folder = openDemoFolder(options.data, options, context.clock.now());
  tellAboutRuns(context, folder);
  const signals = watchShutdownSignals((name) =>
    tell(context, `\n${name}: stopping in order; again to stop at once`),
  );
  try {
    const models = (await loadModelChoice()).chooseModels(context.environment);
    // The provider starts in its own process while this one loads what is large.
    const loading = Promise.all([loadExample(), import('./demo-app.ts')]);
    const simulator = models.isSimulated ? await startSimulator(context, folder) : undefined;
    try {
      const [example, { startDemoApp }] = await loading;
      const { documents, folder: documentsDirectory } = await documentsOf(example, folder);
      const http = options.stay === true;
      const demo = await startDemoApp({
        context,
        folder,
        example,
        documentsDirectory,
        models,
        simulator,
        http,
        concurrency: options.concurrency,
      });
      try {
        return await workThrough({
          context,
          options,
          folder,
          example,
          documents,
          demo,
          simulator,
          signals,
          startedMs,
        });
      } finally {
        await demo.close();
      }
    } finally {
      await simulator?.stop();
    }
  } catch (error) {
    tell(context, `The run is not finished. Go on with: ${continueCommand(context, folder.directory)}`);
    throw error;
  } finally {
    signals.release();
  }
}

/** Starts the provider in the run's folder. */
function startSimulator({ clock }: CommandContext, { directory, run }: DemoFolder): Promise<SimulatorChild> {
  return startSimulatorChild({
    directory: join(directory, 'simulator'),
    seed: run.seed,
    rules: run.faults ? badDay : [],
    clock,
  });
}

interface Work {
  readonly context: CommandContext;
  readonly options: DemoOptions;
  readonly folder: DemoFolder;
  readonly example: ExamplePipeline;
  readonly documents: readonly ExampleDocument[];
  readonly demo: DemoApp;
  readonly simulator: SimulatorChild | undefined;
  readonly signals: ShutdownSignals;
  readonly startedMs: number;
}

async function workThrough(work: Work): Promise<number> {
  const { context, options, folder, demo, simulator, signals } = work;
  const { clock } = context;
  const seconds = (): number => Math.round(clock.monotonicMs() - work.startedMs) / 1000;
  // The simulator's end is a failure; a signal is a wish.
  const stopping = AbortSignal.any([signals.signal, ...(simulator === undefined ? [] : [simulator.failed])]);
  await untilIdle(work, stopping, seconds);
  simulator?.failed.throwIfAborted();
  if (signals.signal.aborted) {
    tell(context, `The run is not finished. Go on with: ${continueCommand(context, folder.directory)}`);
    return signals.exitCode();
  }
  await demo.app.millrace.flushUsage();
  const report = await collectReport({
    store: demo.host.stores.columns,
    status: await demo.app.millrace.status(),
    billedUsd: await simulator?.billedUsd(),
    documents: work.documents.length,
    reusedCalls: await readReusedCalls(demo.host.metrics),
    stageOrder: demo.host.registry.stages.map(({ definition }) => definition.name),
    seconds: seconds(),
  });
  markFinished(folder, clock.now());
  show(work, report);
  if (options.stay === true) {
    await tellAddresses({ context, app: demo.app, directory: folder.directory });
    await aborted(signals.signal);
  }
  return findDisagreements(report).length === 0 ? exitCodes.ok : exitCodes.failed;
}

/** Admits everything and watches until nothing is left to do, or until it must stop. */
async function untilIdle(work: Work, stopping: AbortSignal, seconds: () => number): Promise<void> {
  const { context, folder, example, documents, demo, options } = work;
  const { millrace } = demo.app;
  const { clock } = context;
  const display = progressDisplay(
    context.stderr,
    demo.host.registry.stages.map(({ definition }) => definition.name),
  );
  let admitted = 0;
  let isAdmitted = false;
  const failure = new AbortController();
  const admitting = example
    .admitDocuments(millrace, documents, {
      batch: folder.run.batch,
      concurrency: options.concurrency ?? admissionConcurrency,
      signal: stopping,
      onAdmitted: () => {
        if (admitted === 0) display.note(`First message after ${seconds().toFixed(1)} s`);
        admitted += 1;
      },
    })
    .then(
      () => {
        isAdmitted = true;
      },
      (error: unknown) => failure.abort(error),
    );
  let shownMs = Number.NEGATIVE_INFINITY;
  while (!stopping.aborted && !failure.signal.aborted) {
    const isIdle = isAdmitted && (await millrace.isIdle());
    const isDue = clock.monotonicMs() - shownMs >= display.intervalMs;
    if (isIdle || isDue) {
      const status = await millrace.status();
      // Calls that a killed process left open are given up within seconds of the next start.
      const isDone = isIdle && status.calls.reserved === 0;
      if (isDue || isDone) {
        shownMs = clock.monotonicMs();
        display.show(status, { admitted, documents: documents.length, atMs: shownMs });
      }
      if (isDone) break;
    }
    await clock.sleep(idlePauseMs);
  }
  display.end();
  await admitting;
  failure.signal.throwIfAborted();
}

async function documentsOf(
  example: ExamplePipeline,
  { run }: DemoFolder,
): Promise<{ readonly folder: string; readonly documents: readonly ExampleDocument[] }> {
  const outcome =
    run.documents === undefined ? await packageTexts(example) : await example.findDocuments(run.documents);
  if (outcome.kind === 'found') return { ...outcome, documents: outcome.documents.slice(0, run.limit) };
  const problem =
    outcome.kind === 'missing' ? 'There is no folder' : 'There is no text that could be used in';
  throw new AppError('MILLRACE_DEMO_DOCUMENTS_MISSING', `${problem} ${outcome.folder}.`);
}

/** Of the packages that are installed here, or, where there are none, of this package's own. */
async function packageTexts(example: ExamplePipeline): ReturnType<ExamplePipeline['findPackageTexts']> {
  const here = await example.findPackageTexts('.');
  return here.kind === 'found' ? here : example.findPackageTexts(packageRoot());
}

function tellAboutRuns(context: CommandContext, { directory, run, isContinued }: DemoFolder): void {
  tell(
    context,
    isContinued ? `Going on with the run of ${run.startedAt} in ${directory}` : `Data goes to ${directory}`,
  );
  for (const unfinished of findUnfinishedRuns(directory)) {
    tell(context, `An earlier run did not finish; go on with it by: ${continueCommand(context, unfinished)}`);
  }
}

function show({ context, options, folder }: Work, report: DemoReport): void {
  for (const disagreement of findDisagreements(report)) tell(context, disagreement);
  if (options.json === true) {
    print(context, JSON.stringify(reportDocument(report)));
    return;
  }
  const { directory } = folder;
  const millrace = programName(context);
  print(context, reportText(report));
  print(context, '');
  print(
    context,
    `Everything lies in ${directory}: ledger, usage records, results, the bill, demo.log. Look further with:`,
  );
  for (const command of ['status', 'costs --group-by team,model', 'costs --group-by feature --csv']) {
    print(context, `  ${millrace} ${command} --data ${shortPath(directory)}`);
  }
}

function continueCommand(context: CommandContext, directory: string): string {
  return `${programName(context)} demo --data ${shortPath(directory)}`;
}

/** As the person called it: through npm in the repository, or the installed command. */
function programName({ environment }: CommandContext): string {
  const script = environment['npm_lifecycle_event'];
  return script === 'demo' || script === 'millrace' ? 'npm run millrace --' : 'millrace';
}

function shortPath(directory: string): string {
  const path = relative('.', directory);
  return path.startsWith('..') ? directory : path;
}
