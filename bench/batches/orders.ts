/* What the bench of batches and its processes say to each other. */

export interface ServerAddresses {
  readonly postgresUrl: string;
  readonly redisUrl: string;
  readonly clickHouse: { readonly url: string; readonly user: string; readonly password: string };
}

/** How a process works. Plain data: it is sent to the process. */
export interface BatchBenchOptions {
  readonly kind: 'loop' | 'millrace';
  /** Of its own. */
  readonly directory: string;
  readonly concurrency: number;
  readonly chunkItems: number;
  readonly chunksInFlight: number;
  /** Absent: a model in the process. */
  readonly simulatorUrl?: string;
  /** Absent: Millrace embedded, in the directory. */
  readonly servers?: ServerAddresses;
  readonly memoryEverySeconds: number;
}

/** Items in a file, as JSON Lines. */
export interface Work {
  readonly input: string;
  readonly items: number;
}

/** What is measured on its own: `intake` until the batch could be started, `run` until it is over, `export` until ClickHouse has its calls. */
export const steps = ['intake', 'run', 'export', 'output'] as const;
export type Step = (typeof steps)[number];

/** What a process is asked to do; each is answered when it is done. */
export type Order =
  | { readonly kind: 'open'; readonly options: BatchBenchOptions }
  /** All steps, without a measurement. */
  | { readonly kind: 'warm_up'; readonly work: Work }
  /** Of the loop there is `run` only. */
  | { readonly kind: 'step'; readonly step: Step; readonly work: Work }
  | { readonly kind: 'close' };

/** What a step took of the process. */
export interface Taken {
  readonly wallMs: number;
  /** Processor time, threads included. */
  readonly cpuMs: number;
}

export interface Answers {
  readonly open: null;
  readonly warm_up: null;
  readonly step: Taken;
  readonly close: null;
}

/** The memory of a process over some seconds. Bytes. */
export interface MemoryPeriod {
  /** Seconds since the first measured step. */
  readonly atSeconds: number;
  /** The most of a reading every quarter of a second. */
  readonly rssMost: number;
  /** JavaScript objects that were left after a full collection at its end. */
  readonly reachable: number;
  /** Items that had ended by then. */
  readonly ended: number;
}

export type Reply =
  | { readonly kind: 'done'; readonly value: unknown }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'memory'; readonly period: MemoryPeriod };
