import { type ChildProcess, fork } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HostProcessOptions } from './chaos-host.ts';
import type { Release } from './handlers.ts';
import { type Answers, exitStoresAway, type HostLine, type Order, type OrderLine } from './orders.ts';

/* One host of the run under a supervisor: killed, stopped, and started again under a new name each time. */

export interface SupervisedOptions {
  /** What it is called in plans; each process adds its generation. */
  readonly name: string;
  readonly host: Omit<HostProcessOptions, 'name' | 'release'>;
}

/** A process that was killed: who, and when by the machine's clock. */
export interface Death {
  readonly worker: string;
  readonly atMs: number;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Hosts are started again and again: what they compile is kept. */
const compileCache = process.env['NODE_COMPILE_CACHE'] ?? join(tmpdir(), 'millrace-chaos-compiled');
const restartWhenAwayMs = 300;
const keptErrorCharacters = 4000;
/** A supervisor starts a crashed process again; past this it is left down, and the run fails. */
const maxCrashes = 10;

export class HostProcess {
  readonly name: string;
  readonly deaths: Death[] = [];
  /** Ends that nobody caused: an exit code of its own. */
  readonly crashes: string[] = [];
  /** What it runs when it is started the next time. */
  release: Release = 1;
  readonly #options: SupervisedOptions;
  readonly #waiting = new Map<number, Waiting>();
  #child: ChildProcess | undefined;
  #generation = 0;
  #orders = 0;
  #ended: Promise<void> = Promise.resolve();
  #isWanted = false;
  #isTerminated = false;
  #said = '';

  constructor(options: SupervisedOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  /** Starts it; resolves when it takes work. Starts it again when its stores are away. */
  async start(): Promise<void> {
    this.#isWanted = true;
    while (this.#isWanted && !(await this.#launch())) await pause(restartWhenAwayMs);
  }

  /** Ends the process at once; resolves when it is gone. */
  async kill(): Promise<void> {
    this.#isWanted = false;
    this.#child?.kill('SIGKILL');
    await this.#ended;
  }

  /** Resolves true when the process died within the time, as an armed point makes it. */
  async diesWithin(timeoutMs: number): Promise<boolean> {
    return await isOverWithin(this.#ended, timeoutMs);
  }

  /** Ends it in order; resolves when it is gone. */
  async terminate(timeoutMs = 30_000): Promise<void> {
    this.#isWanted = false;
    if (this.#child === undefined) return;
    this.#isTerminated = true;
    this.#child.kill('SIGTERM');
    // A process that was stopped hears of it only when it goes on.
    this.#child.kill('SIGCONT');
    if (await this.diesWithin(timeoutMs)) return;
    this.crashes.push(`${this.workerName} did not end within ${timeoutMs} ms of SIGTERM`);
    await this.kill();
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal);
  }

  /** Gives an order; rejects when the process ends before it is done. */
  async ask<Kind extends Order['kind']>(order: Order & { readonly kind: Kind }): Promise<Answers[Kind]> {
    const child = this.#child;
    if (child?.connected !== true) throw new Error(`${this.name} is not running`);
    this.#orders += 1;
    const id = this.#orders;
    const answer = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    child.send({ id, order } satisfies OrderLine, (error) => {
      if (error !== null) this.#answer(id, (waiting) => waiting.reject(error));
    });
    return (await answer) as Answers[Kind];
  }

  /** The process that runs, or ran last. */
  get workerName(): string {
    return `${this.name}.${this.#generation}`;
  }

  /** False when the stores were away. */
  async #launch(): Promise<boolean> {
    this.#generation += 1;
    this.#isTerminated = false;
    this.#said = '';
    const options: HostProcessOptions = {
      ...this.#options.host,
      name: this.workerName,
      release: this.release,
    };
    const child = fork(join(import.meta.dirname, 'chaos-host.ts'), [JSON.stringify(options)], {
      execArgv: [],
      env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child = child;
    const ready = Promise.withResolvers<boolean>();
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said = `${this.#said}${text}`.slice(-keptErrorCharacters);
    });
    child.on('message', (line: HostLine) => {
      if (line.kind === 'ready') ready.resolve(true);
      else if (line.kind === 'done') this.#answer(line.id, (waiting) => waiting.resolve(line.value));
      else this.#answer(line.id, (waiting) => waiting.reject(new Error(line.message)));
    });
    this.#ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#child = undefined;
        this.#noteEnd(code, signal);
        for (const { reject } of this.#waiting.values()) reject(new Error(`${this.name} ended`));
        this.#waiting.clear();
        ready.resolve(code !== exitStoresAway);
        resolve();
      });
    });
    return await ready.promise;
  }

  #noteEnd(code: number | null, signal: NodeJS.Signals | null): void {
    if (signal === 'SIGKILL') {
      this.deaths.push({ worker: this.workerName, atMs: Date.now() });
      return;
    }
    if (code === exitStoresAway || (this.#isTerminated && code === 0)) return;
    this.crashes.push(
      `${this.workerName} ended by itself with ${String(code ?? signal)}: ${this.#said.trim()}`,
    );
    if (this.#isWanted && this.crashes.length < maxCrashes) void this.start();
  }

  #answer(id: number, give: (waiting: Waiting) => void): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (waiting !== undefined) give(waiting);
  }
}

/** A wait of the run itself; what it waits for is not its own to observe. */
export function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, delayMs);
  });
}

/** Whether the work ends within the time. */
export async function isOverWithin(work: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs);
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
