/** What is measured: queues that do nothing with their jobs, and Millrace with two kinds of stage. */
export const subjectKinds = [
  'bullmq',
  'graphile-worker',
  'pg-boss',
  'millrace-noop',
  'millrace-call',
] as const;
export type SubjectKind = (typeof subjectKinds)[number];

/** Where a process of a subject finds its stores, and how it works. Plain data: it is sent to the process. */
export interface SubjectOptions {
  readonly kind: SubjectKind;
  /** Distinguishes what it has in Redis: lower case, digits and dashes. */
  readonly name: string;
  /** A database of its own. Absent: Millrace embedded, in the directory. */
  readonly postgresUrl?: string;
  /** Absent: Millrace has a chDB in each process. */
  readonly clickHouse?: { readonly url: string; readonly user: string; readonly password: string };
  readonly redisUrl: string;
  /** A directory of its own process. */
  readonly directory: string;
  readonly concurrency: number;
  /** How many stages a message admitted by `feed` goes through. */
  readonly hops: number;
  /** Whether it only adds work, works and does all that is besides, or works beside a process that does. */
  readonly role: 'adder' | 'first' | 'further';
}

/** A queue, or a pipeline, in one process. */
export interface Subject {
  /** The settings that decide its speed, as they are printed. */
  readonly settings: string;
  /** Begins to work; `onHandled` is called where a handler begins. */
  start(onHandled: () => void): Promise<void>;
  /** Adds work in the way that a process does for itself: resolves when all of it has been added. */
  feed(count: number): Promise<void>;
  /** Adds jobs that wait for others. */
  addBacklog(count: number): Promise<void>;
  /** Adds one job. */
  sendOne(): Promise<void>;
  /**
   * Resolves when nothing is left to be done and all is where it belongs, with how many were done since it was opened,
   * as its own store counts them; undefined where it keeps no count.
   */
  untilDone(): Promise<number | undefined>;
  stop(): Promise<void>;
}

/** How many jobs are added at once where a queue takes many. */
const addedAtOnce = 500;

/** Calls `add` with how many to add and how many there were before. */
export async function inGroups(
  count: number,
  add: (size: number, from: number) => Promise<unknown>,
): Promise<void> {
  for (let from = 0; from < count; from += addedAtOnce) await add(Math.min(addedAtOnce, count - from), from);
}

/** How long the last of the work may take when all has been taken up. */
const finishWithinMs = 120_000;

/** Asks until it is so; a wait of the bench itself, for what nobody tells it. Throws when that takes too long. */
export async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + finishWithinMs;
  while (!(await isSo())) {
    if (performance.now() > deadlineMs) throw new Error(`the last jobs did not end in ${finishWithinMs} ms`);
    await new Promise((next) => setTimeout(next, 5));
  }
}

/** What each job of the queues carries: what a notification of Millrace needs. */
export const jobData = {
  origin: { team: 'bench', customer: 'acme', feature: 'throughput' },
  lane: 'standard',
  traceParent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
};
