import { describeFault, type Fault } from './fault-plan.ts';
import { type HostProcess, pause } from './host-process.ts';
import type { StoreServers } from './store-servers.ts';

/*
 * Makes the planned faults happen. What befalls one process or server happens one after another; different ones are
 * struck side by side. Whatever was taken away comes back: a supervisor starts processes again, servers return.
 */

/** How long an armed point may wait to be reached before the process is killed wherever it is. */
const pointTimeoutMs = 3000;
const insertTimeoutMs = 8000;

export interface StruckFault {
  readonly atMs: number;
  readonly what: string;
}

export class FaultInjector {
  readonly struck: StruckFault[] = [];
  readonly #processes: ReadonlyMap<string, HostProcess>;
  readonly #servers: StoreServers | undefined;
  /** The process that answers questions about the ledger. */
  readonly #front: HostProcess;
  readonly #chains = new Map<string, Promise<void>>();
  readonly #failures: unknown[] = [];
  readonly #startedMs = Date.now();

  constructor(
    processes: ReadonlyMap<string, HostProcess>,
    servers: StoreServers | undefined,
    front: HostProcess,
  ) {
    this.#processes = processes;
    this.#servers = servers;
    this.#front = front;
  }

  /** Begins the fault, after those that befall the same thing. */
  strike(fault: Fault): void {
    const thing = thingOf(fault);
    const after = this.#chains.get(thing) ?? Promise.resolve();
    const struck = after
      .then(() => this.#inject(fault))
      .catch((error: unknown) => void this.#failures.push(error));
    this.#chains.set(thing, struck);
  }

  /** Resolves when everything that was taken away is back. Fails when the suite itself could not bring it back. */
  async settled(): Promise<void> {
    await Promise.all(this.#chains.values());
    if (this.#failures.length > 0)
      throw new AggregateError(this.#failures, 'faults could not be made to happen');
  }

  async #inject(fault: Fault): Promise<void> {
    this.#note(describeFault(fault));
    switch (fault.kind) {
      case 'kill':
        await this.#restart(fault.target, (target) => target.kill(), fault.awayMs);
        return;
      case 'kill_at':
        await this.#restart(fault.target, (target) => this.#killAt(target, fault), fault.awayMs);
        return;
      case 'restart_in_order':
        await this.#restart(fault.target, (target) => target.terminate(), 0);
        return;
      case 'stop': {
        const target = this.#process(fault.target);
        target.signal('SIGSTOP');
        await pause(fault.forMs);
        target.signal('SIGCONT');
        return;
      }
      case 'wake_again':
      case 'expire_leases':
        await this.#order(fault.kind === 'wake_again' ? fault : { kind: fault.kind });
        return;
      case 'redis_emptied':
        await this.#services.redis.flushAll();
        return;
      case 'redis_away':
        await this.#services.redisAway(fault.awayMs);
        return;
      case 'postgres_away':
        await this.#services.postgresAway(fault.awayMs);
        return;
      case 'postgres_disconnects':
        await this.#services.postgres.terminateConnections();
        return;
      case 'clickhouse_away':
        await this.#services.clickHouseAway(fault.awayMs);
        return;
      case 'clickhouse_fails':
        await this.#services.clickHouseFails(fault.how, fault.awayMs, insertTimeoutMs);
    }
  }

  async #restart(name: string, end: (target: HostProcess) => Promise<void>, awayMs: number): Promise<void> {
    const target = this.#process(name);
    await end(target);
    await pause(awayMs);
    await target.start();
  }

  async #killAt(target: HostProcess, { point }: Fault & { kind: 'kill_at' }): Promise<void> {
    try {
      await target.ask({ kind: 'arm', point });
      if (!(await target.diesWithin(pointTimeoutMs)))
        this.#note(`  ${point.name} was not reached: killed where it was`);
    } catch {
      // It was ending already, for another reason of this run.
    }
    await target.kill();
  }

  /** A wish to the ledger or queue that fails because they are away has had its effect. */
  async #order(order: Parameters<HostProcess['ask']>[0]): Promise<void> {
    try {
      await this.#front.ask(order);
    } catch (error) {
      this.#note(`  not done: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  get #services(): StoreServers {
    if (this.#servers === undefined) throw new Error('Embedded stores are not taken away');
    return this.#servers;
  }

  #process(name: string): HostProcess {
    const found = this.#processes.get(name);
    if (found === undefined) throw new Error(`No process is called ${name}`);
    return found;
  }

  #note(what: string): void {
    this.struck.push({ atMs: Date.now() - this.#startedMs, what });
  }
}

/** What a fault befalls: faults of the same thing wait for each other. */
function thingOf(fault: Fault): string {
  if ('target' in fault) return fault.target;
  return fault.kind.split('_')[0] ?? fault.kind;
}
