import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { directoryOf, redisPrograms } from './required-programs.ts';
import { freePort, ServerProcess } from './server-process.ts';

export interface RedisServerOptions {
  /** How the append-only file is synced, or 'off' for none. Default: everysec. */
  readonly appendOnly?: 'everysec' | 'always' | 'off';
  readonly maxMemoryPolicy?: string;
  /** Settings beside these. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A Redis server of its own, in a temporary directory, on a free port of 127.0.0.1. */
export class RedisServer {
  readonly url: string;
  readonly port: number;
  readonly #home: string;
  readonly #options: RedisServerOptions;
  #process: ServerProcess;

  private constructor(home: string, port: number, options: RedisServerOptions) {
    this.#home = home;
    this.port = port;
    this.#options = options;
    this.url = `redis://127.0.0.1:${port}`;
    this.#process = this.#launch();
  }

  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const home = mkdtempSync(join(tmpdir(), 'millrace-redis-'));
    const server = new RedisServer(home, await freePort(), options);
    try {
      await server.#untilReady();
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  /** A replica of a primary that is not there refuses writes with READONLY; it keeps its data. */
  async setReadOnly(isReadOnly: boolean): Promise<void> {
    await this.#administer((redis) =>
      isReadOnly ? redis.replicaof('127.0.0.1', 1) : redis.replicaof('NO', 'ONE'),
    );
  }

  /** Without room it refuses whatever would take memory, and reads on. */
  async setFull(isFull: boolean): Promise<void> {
    await this.#administer((redis) => redis.config('SET', 'maxmemory', isFull ? '1' : '0'));
  }

  /** Empties it, as an operator's mistake would. */
  async flushAll(): Promise<void> {
    await this.#administer((redis) => redis.flushall());
  }

  /** Stops it at once. */
  async kill(): Promise<void> {
    await this.#process.end('SIGKILL');
  }

  get pid(): number {
    return this.#process.pid;
  }

  get logFile(): string {
    return join(this.#home, 'log');
  }

  /** Stops it without giving up its data; restart() brings it back. */
  async pause(): Promise<void> {
    await this.#process.end('SIGTERM');
  }

  /** Stops it if it runs, and starts it again on the same port and data. */
  async restart(): Promise<void> {
    if (!this.#process.hasEnded) await this.#process.end('SIGTERM');
    this.#process = this.#launch();
    await this.#untilReady();
  }

  /** Stops it for good and removes its data. */
  async stop(): Promise<void> {
    if (!this.#process.hasEnded) await this.#process.end('SIGKILL');
    rmSync(this.#home, { recursive: true, force: true });
  }

  #launch(): ServerProcess {
    const { appendOnly = 'everysec', maxMemoryPolicy = 'noeviction', settings: more } = this.#options;
    const settings: Record<string, string> = {
      port: String(this.port),
      bind: '127.0.0.1',
      dir: this.#home,
      save: '',
      appendonly: appendOnly === 'off' ? 'no' : 'yes',
      appendfsync: appendOnly === 'always' ? 'always' : 'everysec',
      'maxmemory-policy': maxMemoryPolicy,
      ...more,
    };
    return new ServerProcess({
      program: join(directoryOf(redisPrograms()), 'redis-server'),
      arguments: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
      logFile: this.logFile,
      signalWithoutParent: 'KILL',
    });
  }

  async #untilReady(): Promise<void> {
    await this.#process.waitUntil(async () => {
      try {
        return (await this.#administer((redis) => redis.ping())) === 'PONG';
      } catch {
        // Not listening yet, or still loading its file.
        return false;
      }
    });
  }

  async #administer<T>(work: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = new Redis(this.url, {
      lazyConnect: true,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
      connectTimeout: 1000,
    });
    // Reported by the command itself.
    redis.on('error', () => undefined);
    try {
      return await work(redis);
    } finally {
      redis.disconnect();
    }
  }
}
