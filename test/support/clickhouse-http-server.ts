import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { freePort } from './server-process.ts';

/** Something that goes wrong once, with the next statement that begins with `statement`. */
export type Fault = { readonly statement: string } & (
  | { readonly kind: 'die-before' | 'die-after' | 'hang-before' | 'hang-after' | 'proxy-page' | 'cut' }
  | { readonly kind: 'slow'; readonly delayMs: number }
  | { readonly kind: 'refuse'; readonly code: number; readonly name: string; readonly status: number }
);

export type ServerOrder = { readonly kind: 'stop' } | { readonly kind: 'arm'; readonly fault: Fault };

export type ServerMessage =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'armed' }
  | { readonly kind: 'request'; readonly encoding: string; readonly connection: number };

export const serverUser = 'millrace';
export const serverPassword = "p'ass:wörd";

/** A ClickHouse HTTP interface on loopback, over chDB in a child process that can be killed and started again. */
export class ClickHouseHttpServer {
  readonly #directory: string;
  #child: ChildProcess | undefined;
  #port = 0;
  /** Content encodings of the requests so far. */
  readonly encodings: string[] = [];
  /** Client ports of the requests so far: one a connection. */
  readonly connections = new Set<number>();

  /** Data lies in `directory` and stays there when the server dies. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Starts the process; after a death, on the port that it had. */
  async start(): Promise<void> {
    if (this.#port === 0) this.#port = await freePort();
    const script = join(import.meta.dirname, 'clickhouse-http-server-process.ts');
    const child = fork(script, [this.#directory, serverUser, serverPassword, `${this.#port}`], {
      execArgv: [],
    });
    this.#child = child;
    child.on('message', (message: ServerMessage) => {
      if (message.kind !== 'request') return;
      this.encodings.push(message.encoding);
      this.connections.add(message.connection);
    });
    await this.#hear(child, (message) => (message.kind === 'listening' ? true : undefined));
  }

  /** Arms a fault for the next fitting statement. */
  async arm(fault: Fault): Promise<void> {
    const child = this.#running();
    const armed = this.#hear(child, (message) => (message.kind === 'armed' ? true : undefined));
    child.send({ kind: 'arm', fault } satisfies ServerOrder);
    await armed;
  }

  /** Resolves when the process is gone by itself. */
  async died(): Promise<void> {
    const child = this.#running();
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }

  async kill(): Promise<void> {
    this.#running().kill('SIGKILL');
    await this.died();
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.send({ kind: 'stop' } satisfies ServerOrder);
    await gone;
  }

  #running(): ChildProcess {
    if (this.#child === undefined) throw new Error('The server was never started');
    return this.#child;
  }

  /** The first message that `pick` takes; fails when the process ends before. */
  #hear<T>(child: ChildProcess, pick: (message: ServerMessage) => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const onMessage = (message: ServerMessage): void => {
        const picked = pick(message);
        if (picked === undefined) return;
        child.off('message', onMessage);
        child.off('exit', onExit);
        resolve(picked);
      };
      const onExit = (code: number | null): void =>
        reject(new Error(`The server process ended with ${code}`));
      child.on('message', onMessage);
      child.on('exit', onExit);
    });
  }
}
