import type { SubjectOptions } from './subject.ts';

/* What the bench and the processes of a subject say to each other. Times are milliseconds of the machine's monotonic clock. */

/** What a process is asked to do; each is answered when it is done. */
export type Order =
  | { readonly kind: 'open'; readonly options: SubjectOptions }
  | { readonly kind: 'start' }
  | { readonly kind: 'feed'; readonly count: number }
  | { readonly kind: 'add_backlog'; readonly count: number }
  | { readonly kind: 'until_done' }
  | { readonly kind: 'account' }
  | { readonly kind: 'measure_latency'; readonly count: number }
  | { readonly kind: 'close' };

/** What a process did since it began: since `feed`, or else since its first job. */
export interface Account {
  readonly beganMs: number;
  /** When the last handler began. */
  readonly lastMs: number;
  readonly handled: number;
  /** Processor time until now, its threads included. */
  readonly cpuMs: number;
}

export interface Answers {
  readonly open: { readonly settings: string };
  readonly start: null;
  readonly feed: null;
  readonly add_backlog: null;
  /** How many were done, as the subject's store counts them. */
  readonly until_done: { readonly done: number | null; readonly atMs: number };
  readonly account: Account;
  /** Milliseconds from before a job was added until its handler began. */
  readonly measure_latency: readonly number[];
  readonly close: null;
}

export type Reply =
  | { readonly kind: 'handled'; readonly total: number }
  | { readonly kind: 'done'; readonly value: unknown }
  | { readonly kind: 'failed'; readonly message: string };

/** The machine's monotonic clock, which all its processes share. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
