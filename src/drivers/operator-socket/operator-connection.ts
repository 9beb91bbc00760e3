import { connect, type Socket } from 'node:net';
import { type Clock, systemClock, type Timer } from '../../kernel/clock.ts';
import { AppError } from '../../kernel/app-error.ts';
import { FramedConnection } from './framed-connection.ts';
import {
  errorOf,
  operatorAnswerSchema,
  type OperatorCall,
  type OperatorGreeting,
  operatorGreetingSchema,
} from './operator-protocol.ts';
import { operatorSocketPath } from './operator-socket-place.ts';

export interface OperatorConnectionOptions {
  readonly dataDirectory: string;
  /** This program's version: the two ends of the socket must be the same. */
  readonly version: string;
  /** How long one request may take. Default 120 seconds. */
  readonly requestTimeoutMs?: number;
  /** Default the machine's. */
  readonly clock?: Clock;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: Timer;
}

/** Nobody listens there: no socket, or one that a killed process left. */
const nobodyThere = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTSOCK']);
const greetingTimeoutMs = 10_000;

/** A command's connection to the running host of a data directory. */
export class OperatorConnection {
  readonly #connection: FramedConnection;
  readonly #requestTimeoutMs: number;
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Waiting>();
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #closed: Promise<void>;
  #next = 1;
  #isClosed = false;
  #greeting: OperatorGreeting | undefined;

  private constructor(socket: Socket, requestTimeoutMs: number, clock: Clock) {
    this.#clock = clock;
    this.#requestTimeoutMs = requestTimeoutMs;
    this.#closed = new Promise((resolve) => socket.once('close', () => resolve()));
    this.#connection = new FramedConnection(socket, {
      onValue: (value) => this.#answered(value),
      onClose: () => this.#lost(),
    });
  }

  /**
   * Connects to the host that has the data directory open; undefined when none listens. Throws MILLRACE_DATA_IN_USE when
   * it is another version or does not answer, and MILLRACE_FORBIDDEN when it is another user's.
   */
  static async open(options: OperatorConnectionOptions): Promise<OperatorConnection | undefined> {
    const { dataDirectory, version, requestTimeoutMs = 120_000, clock = systemClock } = options;
    const path = operatorSocketPath(dataDirectory);
    const socket = await connected(path);
    if (socket === undefined) return undefined;
    const connection = new OperatorConnection(socket, requestTimeoutMs, clock);
    try {
      const greeting = operatorGreetingSchema.parse(
        await connection.#send({ kind: 'hello' }, greetingTimeoutMs),
      );
      if (greeting.version !== version) {
        throw new AppError(
          'MILLRACE_DATA_IN_USE',
          `Process ${greeting.processId} has the data directory ${dataDirectory} open and is Millrace ${greeting.version}; this command is ${version}. Use the same version beside it.`,
        );
      }
      connection.#greeting = greeting;
      return connection;
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  /** What the host said of itself. */
  get greeting(): OperatorGreeting {
    if (this.#greeting === undefined) throw lost();
    return this.#greeting;
  }

  /** Asks the host, and answers what it answers. Throws what it throws, and MILLRACE_DATABASE_UNAVAILABLE when it ends. */
  request(call: OperatorCall): Promise<unknown> {
    return this.#send(call, this.#requestTimeoutMs);
  }

  /** Closes after the answers to what was asked; a transaction that is open is rolled back. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#underWay);
    this.#connection.close();
    await this.#closed;
  }

  #send(call: OperatorCall, timeoutMs: number): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(lost());
    const id = this.#next;
    this.#next += 1;
    const answer = new Promise((resolve, reject) => {
      const timer = this.#clock.startTimer(timeoutMs, () => {
        this.#waiting.delete(id);
        reject(
          new AppError(
            'MILLRACE_DATABASE_UNAVAILABLE',
            `The running host did not answer within ${timeoutMs / 1000} s. What was asked may have taken effect.`,
          ),
        );
      });
      this.#waiting.set(id, { resolve, reject, timer });
      try {
        this.#connection.send({ ...call, id });
      } catch (error) {
        timer.close();
        this.#waiting.delete(id);
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
    this.#underWay.add(answer);
    const forget = () => this.#underWay.delete(answer);
    answer.then(forget, forget);
    return answer;
  }

  #answered(value: unknown): void {
    const answer = operatorAnswerSchema.parse(value);
    const waiting = this.#waiting.get(answer.id);
    if (waiting === undefined) return;
    this.#waiting.delete(answer.id);
    waiting.timer.close();
    if ('failure' in answer) waiting.reject(errorOf(answer.failure));
    else waiting.resolve(answer.value);
  }

  #lost(): void {
    this.#isClosed = true;
    for (const { reject, timer } of this.#waiting.values()) {
      timer.close();
      reject(lost());
    }
    this.#waiting.clear();
  }
}

function connected(path: string): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== undefined && nobodyThere.has(error.code)) resolve(undefined);
      else if (error.code === 'EACCES' || error.code === 'EPERM') reject(foreign(path, error));
      else reject(new AppError('MILLRACE_DATA_IN_USE', `Cannot connect to ${path}.`, { cause: error }));
    });
  });
}

function foreign(path: string, cause: Error): AppError {
  return new AppError(
    'MILLRACE_FORBIDDEN',
    `The running host belongs to another user: ${path} cannot be opened. Run the command as that user.`,
    { cause },
  );
}

function lost(): AppError {
  return new AppError(
    'MILLRACE_DATABASE_UNAVAILABLE',
    'The running host closed the connection: it stops, or has too many commands at once.',
  );
}
