import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/*
 * A server of a test as a child process. It never outlives the test process: the kernel sends it a signal when
 * that dies (setpriv --pdeathsig), and where there is no setpriv it is killed at exit.
 */

export interface ServerProcessOptions {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly logFile: string;
  /** The system user it runs as; needs root. Absent: the own one. */
  readonly user?: string;
  /** What the kernel sends it when the test process dies. */
  readonly signalWithoutParent: 'KILL' | 'QUIT';
}

const hasSetpriv = spawnSync('setpriv', ['--version']).status === 0;
const running = new Set<ServerProcess>();
process.once('exit', () => {
  for (const server of running) server.signal('SIGKILL');
});

/** A running server. */
export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #options: ServerProcessOptions;
  readonly #ended: Promise<void>;

  constructor(options: ServerProcessOptions) {
    this.#options = options;
    const log = openSync(options.logFile, 'a');
    const [program, ...rest] = commandOf(options);
    this.#child = spawn(program, rest, { cwd: '/', stdio: ['ignore', log, log] });
    closeSync(log);
    running.add(this);
    this.#ended = new Promise((resolve) => {
      const onEnd = (): void => {
        running.delete(this);
        resolve();
      };
      this.#child.once('exit', onEnd);
      this.#child.once('error', onEnd);
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.#options.program} did not start`);
    return this.#child.pid;
  }

  get hasEnded(): boolean {
    return !running.has(this);
  }

  /** Lets this process end while the server runs. */
  unref(): void {
    this.#child.unref();
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Sends the signal and resolves when the process has ended. */
  async end(signal: NodeJS.Signals): Promise<void> {
    this.signal(signal);
    await this.#ended;
  }

  /** Resolves when `isReady` does; fails with the server's log when it ends before, or stays silent too long. */
  async waitUntil(isReady: () => Promise<boolean>, timeoutMs = 30_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!(await isReady())) {
      if (this.hasEnded || performance.now() > deadline) {
        const log = readFileSync(this.#options.logFile, 'utf8').split('\n').slice(-20).join('\n');
        throw new Error(`${this.#options.program} did not come up:\n${log}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
  }
}

/** Linux gives the ports from 32768 on to connections. */
const [firstPort, lastPort] = [10_000, 32_000];
const portAttempts = 100;

/**
 * A free port of 127.0.0.1 that no connection is given: between two runs of a server on it, a client that goes on trying
 * would in the end be connected to itself, and keep the port.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < portAttempts; attempt += 1) {
    const port = randomInt(firstPort, lastPort);
    if (await isFree(port)) return port;
  }
  throw new Error(`no port from ${firstPort} to ${lastPort} is free`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** A command line as another user, or the own one; it dies with this process where the machine can do that. */
export function commandOf(
  options: Pick<ServerProcessOptions, 'program' | 'arguments' | 'user' | 'signalWithoutParent'>,
): readonly [string, ...string[]] {
  if (!hasSetpriv) {
    if (options.user !== undefined) throw new Error('setpriv is needed to run a server as another user');
    return [options.program, ...options.arguments];
  }
  const user =
    options.user === undefined ? [] : [`--reuid=${options.user}`, `--regid=${options.user}`, '--init-groups'];
  return [
    'setpriv',
    ...user,
    '--pdeathsig',
    options.signalWithoutParent,
    '--',
    options.program,
    ...options.arguments,
  ];
}

/** A system user's numbers. */
export function userIds(user: string): { readonly uid: number; readonly gid: number } {
  const id = (flag: string): number => Number(execFileSync('id', [flag, user], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}
