import type { FaultRuleInput } from '../../src/simulator/simulator-config.ts';
import type { CutEvidence, PauseEvidence, OutageEvidence } from './evidence.ts';
import { describeFault, type Fault, providerFaults } from './fault-plan.ts';
import { type FaultKind, faultKindOf } from './fault-tally.ts';
import { type HostProcess, pause } from './host-process.ts';
import { raiseBudget } from './present-budgets.ts';
import type { SimulatorServer } from '../support/simulator-server.ts';
import type { StoreServers } from './store-servers.ts';

/*
 * Makes the planned faults happen. What befalls one process or server happens one after another; different ones are
 * struck side by side. Whatever was taken away comes back: a supervisor starts processes again, servers return.
 */

/** How long an armed point may wait to be reached before the process is killed wherever it is. */
const pointTimeoutMs = 3000;
const insertTimeoutMs = 8000;
/** How long an order is given again while its process or its stores are away. */
const orderTimeoutMs = 60_000;
/** After an outage of ClickHouse of this length it is measured how long the export takes to catch up. */
const longOutageMs = 10_000;
const catchUpTimeoutMs = 180_000;
/** Requests that are made while the way to PostgreSQL is about to be cut are answered after the lease has run out. */
const slowStartMs = 400;
const slowAnswer: FaultRuleInput = {
  match: { provider: 'anthropic' },
  fault: 'slow',
  probability: 0.5,
  delayMs: 18_000,
};

export interface StruckFault {
  readonly atMs: number;
  readonly what: string;
  /** Absent for what is said about a fault. */
  readonly kind?: FaultKind;
}

export interface Injected {
  readonly processes: ReadonlyMap<string, HostProcess>;
  readonly servers: StoreServers | undefined;
  readonly front: HostProcess;
  readonly simulator: SimulatorServer;
  /** The run's. */
  readonly directory: string;
  /** What the provider follows before all else, on good days too. */
  readonly rules: readonly FaultRuleInput[];
}

export class FaultInjector {
  readonly struck: StruckFault[] = [];
  readonly #processes: ReadonlyMap<string, HostProcess>;
  readonly #servers: StoreServers | undefined;
  /** The process that answers questions about the ledger. */
  readonly #front: HostProcess;
  readonly #chains = new Map<string, Promise<void>>();
  readonly #failures: unknown[] = [];
  readonly pauses: PauseEvidence[] = [];
  readonly cuts: CutEvidence[] = [];
  readonly outages: OutageEvidence[] = [];
  readonly #simulator: SimulatorServer;
  readonly #directory: string;
  readonly #rules: Set<FaultRuleInput>;
  readonly #startedMs = Date.now();

  constructor({ processes, servers, front, simulator, directory, rules }: Injected) {
    this.#processes = processes;
    this.#servers = servers;
    this.#front = front;
    this.#simulator = simulator;
    this.#directory = directory;
    this.#rules = new Set(rules);
  }

  /** Begins the fault, after those that befall the same thing. */
  strike(fault: Fault): void {
    void this.#inTurn(thingOf(fault), () => this.#inject(fault));
  }

  /** Resolves when it is done, or has failed. */
  #inTurn(thing: string, act: () => Promise<void>): Promise<void> {
    const after = this.#chains.get(thing) ?? Promise.resolve();
    const done = after.then(act).catch((error: unknown) => void this.#failures.push(error));
    this.#chains.set(thing, done);
    return done;
  }

  /** Resolves when everything that was taken away is back. Fails when the suite itself could not bring it back. */
  async settled(): Promise<void> {
    await Promise.all(this.#chains.values());
    if (this.#failures.length > 0)
      throw new AggregateError(this.#failures, 'faults could not be made to happen');
  }

  async #inject(fault: Fault): Promise<void> {
    this.#note(describeFault(fault), faultKindOf(fault));
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
      case 'notify_again':
      case 'expire_leases':
        await this.#order(fault.kind === 'notify_again' ? fault : { kind: fault.kind });
        return;
      case 'pause':
        await this.#pause(fault);
        return;
      case 'model_down': {
        const rule = { match: { model: fault.model }, fault: 'server_error', probability: 1 } as const;
        await this.#withRule(rule, fault.forMs);
        return;
      }
      case 'disk_full':
        await this.#orderTo(this.#process(fault.target), { kind: 'fill_disk', forMs: fault.forMs });
        return;
      case 'budget_raised':
        await this.raiseBudget();
        return;
      case 'replay':
        await this.#insist({ kind: 'replay' });
        return;
      case 'deploy':
        await this.#deploy();
        return;
      case 'postgres_cut':
        await this.#cutOff(fault);
        return;
      case 'clickhouse_slow':
        await this.#services.clickHouseSlow(fault.times, fault.delayMs);
        return;
      case 'queue_emptied':
        await this.#services.queue.empty();
        return;
      case 'queue_away':
        await this.#services.queueAway(fault.awayMs);
        return;
      case 'postgres_away':
        await this.#services.postgresAway(fault.awayMs);
        return;
      case 'postgres_disconnects':
        await this.#services.postgres.terminateConnections();
        return;
      case 'postgres_read_only':
        await this.#services.postgresReadOnly(fault.forMs);
        return;
      case 'queue_read_only':
        await this.#services.queueReadOnly(fault.forMs);
        return;
      case 'queue_full':
        await this.#services.queueFull(fault.forMs);
        return;
      case 'clock_set':
        await this.#setClock(fault);
        return;
      case 'clickhouse_away_at_start':
        await this.#startWithoutClickHouse(fault);
        return;
      case 'clickhouse_away':
        await this.#clickHouseAway(fault.awayMs);
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

  /** All that starts from now on knows the new limit; who runs hears of it from the ledger. */
  async raiseBudget(): Promise<void> {
    raiseBudget(this.#directory);
    await this.#insist({ kind: 'define_budgets' });
  }

  async #pause({ pause: order, forMs }: Fault & { kind: 'pause' }): Promise<void> {
    const askedMs = Date.now();
    await this.#insist({ kind: 'pause', pause: order });
    const fromMs = Date.now();
    await pause(forMs);
    // An answer that is lost may be that of a pause that is lifted already.
    const toMs = Date.now();
    await this.#insist({ kind: 'resume', pause: order });
    this.pauses.push({ ...order, askedMs, fromMs, toMs });
  }

  async #withRule(rule: FaultRuleInput, forMs: number): Promise<void> {
    this.#rules.add(rule);
    await this.#simulator.follow([...this.#rules, ...providerFaults]);
    await pause(forMs);
    this.#rules.delete(rule);
    await this.#simulator.follow([...this.#rules, ...providerFaults]);
  }

  /** A process that is killed meanwhile comes back with its clock right. */
  async #setClock({ target, byMs, forMs }: Fault & { kind: 'clock_set' }): Promise<void> {
    const host = this.#process(target);
    await this.#orderTo(host, { kind: 'set_clock', byMs });
    await pause(forMs);
    await this.#orderTo(host, { kind: 'set_clock', byMs: 0 });
  }

  async #clickHouseAway(awayMs: number): Promise<void> {
    const fromMs = Date.now();
    await this.#services.clickHouseAway(awayMs);
    if (awayMs < longOutageMs) return;
    const toMs = Date.now();
    let waiting: number | undefined;
    while (Date.now() - toMs < catchUpTimeoutMs) {
      const backlog = await this.#front.ask({ kind: 'export_backlog' }).catch(() => undefined);
      waiting ??= backlog?.records;
      // What is left was made after the return.
      if (backlog !== undefined && backlog.oldestSeconds * 1000 < Date.now() - toMs) {
        this.outages.push({ fromMs, toMs, waiting: waiting ?? 0, caughtUpMs: Date.now() - toMs });
        return;
      }
      await pause(100);
    }
    this.outages.push({ fromMs, toMs, waiting: waiting ?? 0 });
  }

  async #startWithoutClickHouse(fault: Fault & { kind: 'clickhouse_away_at_start' }): Promise<void> {
    await this.#services.clickHouse.kill();
    const turn = this.#inTurn(fault.target, () =>
      this.#restart(fault.target, (target) => target.terminate(), 0),
    );
    await pause(fault.awayMs);
    await this.#services.clickHouse.start();
    await turn;
  }

  /** Workers and maintenance first: the admitting process sends what only release 2 can read. */
  async #deploy(): Promise<void> {
    const names = [...this.#processes.keys()];
    for (const name of [...names.slice(1), ...names.slice(0, 1)]) {
      await this.#inTurn(name, async () => {
        const target = this.#process(name);
        target.release = 2;
        await target.terminate();
        await target.start();
      });
    }
  }

  async #cutOff({ target, forMs, end }: Fault & { kind: 'postgres_cut' }): Promise<void> {
    const slow = this.#withRule(slowAnswer, 2 * slowStartMs);
    await pause(slowStartMs);
    const path = this.#services.path;
    const worker = this.#process(target).workerName;
    const fromMs = Date.now();
    path.cut();
    await slow;
    await pause(forMs);
    path.mend(end);
    this.cuts.push({ worker, fromMs, toMs: Date.now() });
  }

  /** Gives the front an order until it is carried out. */
  async #insist(order: Parameters<HostProcess['ask']>[0]): Promise<void> {
    const untilMs = performance.now() + orderTimeoutMs;
    for (;;) {
      try {
        await this.#front.ask(order);
        return;
      } catch (error) {
        if (performance.now() > untilMs) throw error;
        await pause(100);
      }
    }
  }

  /** A wish to the ledger or queue that fails because they are away has had its effect. */
  async #order(order: Parameters<HostProcess['ask']>[0]): Promise<void> {
    await this.#orderTo(this.#front, order);
  }

  async #orderTo(target: HostProcess, order: Parameters<HostProcess['ask']>[0]): Promise<void> {
    try {
      await target.ask(order);
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

  #note(what: string, kind?: FaultKind): void {
    const atMs = Date.now() - this.#startedMs;
    this.struck.push(kind === undefined ? { atMs, what } : { atMs, what, kind });
  }
}

/** What a fault befalls: faults of the same thing wait for each other. */
function thingOf(fault: Fault): string {
  if (fault.kind === 'clickhouse_away_at_start') return 'clickhouse';
  if ('target' in fault) return fault.target;
  return fault.kind.split('_')[0] ?? fault.kind;
}
