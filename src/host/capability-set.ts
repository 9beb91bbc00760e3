import type {
  Capability,
  CapabilityContext,
  CapabilityParts,
  EngineHooks,
  GaugeReading,
  Job,
  MarkedProviders,
} from '../capabilities/capability.ts';
import type { ServiceToken } from '../capabilities/http-part.ts';
import type { CallDeferral } from '../engine/calls/call-deferral.ts';
import type { CallSharing } from '../engine/calls/call-sharing.ts';
import type { CallGate } from '../engine/calls/call-gate.ts';
import { noQuotas, type QuotaSource } from '../engine/calls/quota-source.ts';
import type { AdmissionCheck, AdmissionRefusal } from '../engine/pipeline/admissions.ts';
import type { RunFollower } from '../engine/pipeline/run-observer.ts';
import type { BackgroundJob } from '../kernel/background-job.ts';
import { invariant } from '../kernel/invariant.ts';
import type { Origin } from '../messages/origin.ts';
import type { MakeBackgroundJob } from './job-runner.ts';
import type { BoundName, FindingCode, JobName } from './closed-names.ts';
import type { Configuration } from './configuration.ts';
import type { HostCatalogue } from './metric-catalogue.ts';

/** What a host gives to each capability; it uses what it declares of it. */
export type HostContext = CapabilityContext<Configuration, HostCatalogue, JobName, BoundName>;

/** A capability that this host can open: all that it uses of settings, metrics and names is there. */
export type HostCapability = Capability<HostContext, JobName, FindingCode>;

type Parts = CapabilityParts<JobName>;

/** What the engine asks, filled when the capabilities are open: the engine is composed before them. */
export class OpenHooks {
  readonly gates: CallGate[] = [];
  readonly #checks: AdmissionCheck[] = [];
  #deferral: CallDeferral | undefined;
  #sharing: CallSharing | undefined;
  #quotas: QuotaSource | undefined;
  #follower: RunFollower | undefined;

  /** All checks of new messages, in order. */
  readonly admission: AdmissionCheck = {
    check: async (origin: Origin, pipelines: readonly string[]): Promise<AdmissionRefusal | undefined> => {
      for (const one of this.#checks) {
        const refusal = await one.check(origin, pipelines);
        if (refusal !== undefined) return refusal;
      }
      return undefined;
    },
  };

  /** Who puts requests off. */
  readonly deferral = (): CallDeferral | undefined => this.#deferral;

  /** Who knows of equal requests of other messages. */
  readonly sharing = (): CallSharing | undefined => this.#sharing;

  readonly quotas: QuotaSource = {
    concerning: (question) => (this.#quotas ?? noQuotas).concerning(question),
    refusal: (question, missed) => (this.#quotas ?? noQuotas).refusal(question, missed),
  };

  /** Who follows runs. */
  readonly follower: RunFollower = { follow: (message) => this.#follower?.follow(message) };

  add({ admission, gates = [], quotas, deferral, sharing, follower }: EngineHooks): void {
    if (admission !== undefined) this.#checks.push(admission);
    if (quotas !== undefined) {
      invariant(this.#quotas === undefined, 'one capability at most sets quotas');
      this.#quotas = quotas;
    }
    if (deferral !== undefined) {
      invariant(this.#deferral === undefined, 'one capability at most puts requests off');
      this.#deferral = deferral;
    }
    if (sharing !== undefined) {
      invariant(this.#sharing === undefined, 'one capability at most shares answers');
      this.#sharing = sharing;
    }
    if (follower !== undefined) {
      invariant(this.#follower === undefined, 'one capability at most follows runs');
      this.#follower = follower;
    }
    this.gates.push(...gates);
  }
}

/** The capabilities of a host, open. */
export class CapabilitySet {
  readonly #parts: readonly Parts[];
  readonly #services: ReadonlyMap<ServiceToken, unknown>;

  private constructor(parts: readonly Parts[]) {
    this.#parts = parts;
    this.#services = new Map(parts.flatMap(({ services = [] }) => services));
  }

  /** Opens each in the order of the list, and tells the engine what they want to be asked. Throws what opening one throws. */
  static async open(
    list: readonly HostCapability[],
    context: HostContext,
    hooks: OpenHooks,
  ): Promise<CapabilitySet> {
    const parts: Parts[] = [];
    for (const capability of list) {
      const open = await capability.open();
      parts.push(await open(context));
    }
    for (const part of parts) hooks.add(part.hooks ?? {});
    return new CapabilitySet(parts);
  }

  /** A service by its class. One whose capability is not in the list is a defect of who asks. */
  service<Service>(token: abstract new (...args: never[]) => Service): Service {
    const service = this.#services.get(token);
    invariant(service !== undefined, `a capability of this host offers ${token.name}`);
    return service as Service;
  }

  /** What the application's providers are looked for. */
  get marked(): readonly MarkedProviders[] {
    return this.#parts.flatMap(({ marked = [] }) => marked);
  }

  /** Everything that is offered. */
  get services(): ReadonlyMap<ServiceToken, unknown> {
    return this.#services;
  }

  /** The loops of what every process does. */
  loops(make: MakeBackgroundJob): readonly BackgroundJob[] {
    return this.#jobs('every_process').map(({ name, intervalMs, turn }) => make(name, intervalMs, turn));
  }

  /** The loops of what one process at a time does: `hasRole` says whether it is this one, and is asked before each turn. */
  maintenanceLoops(make: MakeBackgroundJob, hasRole: () => Promise<boolean>): readonly BackgroundJob[] {
    return this.#jobs('maintenance').map(({ name, intervalMs, turn, standBy }) =>
      make(name, intervalMs, async (signal) => {
        if (await hasRole()) return await turn(signal);
        standBy?.();
        return false;
      }),
    );
  }

  /** Brings gauges up to date for a scrape. */
  async readGauges(reading: GaugeReading): Promise<void> {
    for (const { readGauges } of this.#parts) await readGauges?.(reading);
  }

  /** What has to be so before anything is claimed. */
  async beforeWork(): Promise<void> {
    for (const { beforeWork } of this.#parts) await beforeWork?.();
  }

  /** After the last call has ended, before the stores close. */
  async stop(): Promise<void> {
    for (const { stop } of this.#parts.toReversed()) await stop?.();
  }

  #jobs(where: Job['runsIn']): readonly Job<JobName>[] {
    return this.#parts.flatMap(({ jobs = [] }) => jobs.filter(({ runsIn }) => runsIn === where));
  }
}
