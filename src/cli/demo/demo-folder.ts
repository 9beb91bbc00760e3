import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { AppError } from '../../kernel/app-error.ts';
import { isProcessAlive } from './is-process-alive.ts';

/*
 * A run of the demo is a folder: stores, results, the simulator's bill, and demo.json, which says what the run is, so
 * that the same command on the same folder goes on with it.
 */

const demoRunSchema = z.object({
  /** The batch of every document's origin. */
  batch: z.string().min(1),
  /** Absent: the texts of installed packages. */
  documents: z.string().optional(),
  limit: z.int().min(1),
  seed: z.int().min(0),
  faults: z.boolean(),
  startedAt: z.iso.datetime(),
  /** The process that works on it, or did. */
  pid: z.int(),
  finishedAt: z.iso.datetime().optional(),
});

/** What a run is. */
export type DemoRun = z.output<typeof demoRunSchema>;

/** What the command line says about a run; what it leaves out is as it was, or as it is by default. */
export interface DemoWishes {
  readonly documents?: string;
  readonly limit?: number;
  readonly seed?: number;
  readonly faults?: boolean;
}

export interface DemoFolder {
  readonly directory: string;
  readonly run: DemoRun;
  /** Whether an earlier process began it. */
  readonly isContinued: boolean;
}

const runsDirectory = '.millrace';
const defaultLimit = 300;
const defaultSeed = 1;

/**
 * The folder of a new run, or of the one that lies there. Nothing is made where the run cannot begin. Throws MILLRACE_DEMO_FOLDER_UNUSABLE and
 * MILLRACE_DEMO_DOCUMENTS_MISSING.
 */
export function openDemoFolder(data: string | undefined, wishes: DemoWishes, now: Date): DemoFolder {
  const directory = resolve(data ?? join(runsDirectory, `demo-${stampOf(now)}`));
  if (wishes.documents !== undefined && !isDirectory(wishes.documents))
    throw new AppError('MILLRACE_DEMO_DOCUMENTS_MISSING', `There is no folder ${resolve(wishes.documents)}.`);
  makeDirectory(directory);
  const earlier = readRun(directory);
  if (earlier === undefined && readdirSync(directory).some((name) => !name.startsWith('.'))) {
    throw new AppError(
      'MILLRACE_DEMO_FOLDER_UNUSABLE',
      `${directory} is not empty and holds no run of the demo.`,
    );
  }
  const { finishedAt: _, ...before } = earlier ?? newRun(now);
  const documents = wishes.documents === undefined ? before.documents : resolve(wishes.documents);
  const run: DemoRun = {
    ...before,
    limit: wishes.limit ?? before.limit,
    seed: wishes.seed ?? before.seed,
    faults: wishes.faults ?? before.faults,
    pid: process.pid,
    ...(documents === undefined ? {} : { documents }),
  };
  writeRun(directory, run);
  return { directory, run, isContinued: earlier !== undefined };
}

/** Notes that everything of the run has ended. */
export function markFinished({ directory, run }: DemoFolder, now: Date): void {
  writeRun(directory, { ...run, finishedAt: now.toISOString() });
}

/** Folders of runs that ended before their time, newest first, as paths from here. */
export function findUnfinishedRuns(except: string): readonly string[] {
  if (!existsSync(runsDirectory)) return [];
  return readdirSync(runsDirectory)
    .filter((name) => name.startsWith('demo-'))
    .map((name) => join(runsDirectory, name))
    .filter((folder) => resolve(folder) !== except && isUnfinished(folder))
    .toSorted()
    .toReversed();
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AppError('MILLRACE_DEMO_FOLDER_UNUSABLE', `${directory} cannot be made: ${why}`, { cause });
  }
}

function isUnfinished(folder: string): boolean {
  const path = join(folder, 'demo.json');
  if (!existsSync(path)) return false;
  // A folder that someone else damaged is not worth a failure of this run.
  const parsed = demoRunSchema.safeParse(jsonOf(path));
  return parsed.success && parsed.data.finishedAt === undefined && !isProcessAlive(parsed.data.pid);
}

function newRun(now: Date): DemoRun {
  return {
    batch: `demo-${stampOf(now)}`,
    limit: defaultLimit,
    seed: defaultSeed,
    faults: false,
    startedAt: now.toISOString(),
    pid: process.pid,
  };
}

function readRun(directory: string): DemoRun | undefined {
  const path = join(directory, 'demo.json');
  if (!existsSync(path)) return undefined;
  const parsed = demoRunSchema.safeParse(jsonOf(path));
  if (parsed.success) return parsed.data;
  throw new AppError('MILLRACE_DEMO_FOLDER_UNUSABLE', `${path} does not describe a run of the demo.`, {
    cause: parsed.error,
  });
}

function jsonOf(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as unknown;
  } catch {
    // What is no JSON is no description of a run; the schema says so.
    return undefined;
  }
}

/** Whole or not at all: the process may be killed at any time. */
function writeRun(directory: string, run: DemoRun): void {
  const temporary = join(directory, `.demo.json.${process.pid}`);
  writeFileSync(temporary, `${JSON.stringify(run, undefined, 2)}\n`);
  renameSync(temporary, join(directory, 'demo.json'));
}

function stampOf(now: Date): string {
  return now.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
}
