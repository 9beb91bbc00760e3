import type { z } from 'zod';
import type { AdmissionCheck, Admissions } from '../engine/pipeline/admissions.ts';
import type { EndedMessages } from '../engine/pipeline/ended-messages.ts';
import type { LeaseRenewer } from '../engine/pipeline/lease-renewer.ts';
import type { MessageBodies } from '../engine/pipeline/message-bodies.ts';
import type { Publisher } from '../engine/pipeline/publisher.ts';
import type { StageCapacities } from '../engine/pipeline/stage-capacities.ts';
import type { RegisteredStage, StageRegistry } from '../engine/pipeline/stage-registry.ts';
import type { StageWorker } from '../engine/pipeline/stage-worker.ts';
import type { LedgerCount } from '../engine/ledger/ledger-counts.ts';
import type { CallDeferral } from '../engine/calls/call-deferral.ts';
import type { CallSharing } from '../engine/calls/call-sharing.ts';
import type { CallGate } from '../engine/calls/call-gate.ts';
import type { MeteredModels } from '../engine/calls/metered-models.ts';
import type { QuotaSource } from '../engine/calls/quota-source.ts';
import type { RunFollower } from '../engine/pipeline/run-observer.ts';
import type { ExportLedger } from '../engine/export/export-ledger.ts';
import type { EngineCatalogue } from '../engine/metrics/engine-metrics.ts';
import type { ProviderRegistry } from '../engine/providers/provider-registry.ts';
import type { ColumnStore } from '../drivers/column-store/column-store.ts';
import type { EventLogDriver } from '../drivers/event-log/event-log-driver.ts';
import type { PayloadStore } from '../drivers/payload-store/payload-store.ts';
import type { SqlDatabase } from '../drivers/sql-database/sql-database.ts';
import type { BackgroundJob } from '../kernel/background-job.ts';
import type { Clock } from '../kernel/clock.ts';
import type { ErrorTable } from '../kernel/declared-errors.ts';
import type { LivePriceBook } from '../pricing/live-price-book.ts';
import type { BoundRegistry } from '../telemetry/bounds.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MetricCatalogue } from '../telemetry/metric-definition.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { HttpPart, ServiceToken } from './http-part.ts';
import type { StartupCheck } from './startup-check.ts';
import type { StatusPart } from './status-part.ts';

/*
 * What a capability is to the host. `src/host/capabilities.ts` is the list; the host opens them in its order, asks each what
 * it contributes, and knows none of them by name. CONTRIBUTING.md says how to add one.
 */

/**
 * One capability, whole in its folder: what it declares, and how it is opened. What it declares is data, from which the host
 * computes the metrics, the closed names and the documents of the product; it is loaded without services, stores and Nest.
 */
export interface Capability<
  Context = never,
  JobName extends string = string,
  FindingCode extends string = string,
> {
  readonly name: string;
  /** Its sections of the configuration. */
  readonly configuration?: Readonly<Record<string, z.ZodType>>;
  /** Its errors, by their codes. */
  readonly errors?: ErrorTable;
  /** Its metrics, by their names without the prefix. */
  readonly metrics?: MetricCatalogue;
  /** Values that it adds to closed lists of names. */
  readonly names?: Partial<ClosedNames>;
  /** Its part of the status, loaded where that is read. */
  readonly status?: () => Promise<StatusPart>;
  /** Its part of the HTTP API, loaded where there is one. */
  readonly http?: () => Promise<HttpPart>;
  /** Its check before a start, loaded where one is made. */
  readonly startupCheck?: () => Promise<StartupCheck<SettingsOf<Context>, FindingCode>>;
  /**
   * Loads what composes its services; nothing runs yet. That throws MILLRACE_CONFIG_INVALID for settings that cannot be
   * kept.
   */
  readonly open: () => Promise<
    (context: Context) => CapabilityParts<JobName> | Promise<CapabilityParts<JobName>>
  >;
}

type SettingsOf<Context> = Context extends { readonly settings: infer Settings } ? Settings : never;

/** Names that metrics, documents and configuration know, each list closed. */
export interface ClosedNames {
  /** Its jobs: label values of the metrics about failing ones. docs/runbooks/background-jobs.md says what stands still without each. */
  readonly jobs: readonly string[];
  /** Those of its jobs without which messages stand still that nothing else moves. */
  readonly vitalJobs: readonly string[];
  /** What it bounds; docs/bounds.md says where each limit is set and what happens at it. */
  readonly bounds: readonly string[];
  /** Those of its bounds that are there to be used up: full, they only say that there is work. Alerts leave them out. */
  readonly boundsFullUnderLoad: readonly string[];
  /** Why it puts work aside. */
  readonly parkReasons: readonly string[];
  /** The codes of what its start-up check finds. */
  readonly findings: readonly string[];
}

/** The names of one list. */
export type NameOf<Names, List extends keyof ClosedNames> = Names extends {
  readonly [Key in List]: readonly (infer Name extends string)[];
}
  ? Name
  : never;

/** A service that a capability offers to its controllers and to applications. */
export type Provided = readonly [token: ServiceToken, service: unknown];

type NoMetrics = Record<never, never>;

/**
 * What a capability is given: `Settings` is what it reads of the configuration; `Own` are its metrics, `JobName` and
 * `BoundName` what it says in its names.
 */
export interface CapabilityContext<
  Settings,
  Own extends MetricCatalogue = NoMetrics,
  JobName extends string = never,
  BoundName extends string = never,
> {
  readonly settings: Settings;
  readonly database: SqlDatabase;
  readonly columns: ColumnStore;
  readonly payloads: PayloadStore;
  readonly eventLogs: EventLogDriver;
  /** The ledger's time. */
  readonly clock: Clock;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly logger: Logger;
  /** Those of the engine and its own. */
  readonly metrics: Metrics<EngineCatalogue & Own>;
  readonly bounds: BoundRegistry<BoundName>;
  readonly engine: EnginePorts;
  /** Makes a loop of its own, for what must be nudged or must end in order; most say what they do in `jobs`. */
  readonly makeLoop: (name: JobName, intervalMs: number, turn: () => Promise<boolean>) => BackgroundJob;
}

/** What the engine offers to capabilities. */
export interface EnginePorts {
  readonly admissions: Admissions;
  readonly models: MeteredModels;
  readonly providers: ProviderRegistry;
  readonly pricer: LivePriceBook;
  readonly registry: StageRegistry;
  readonly bodies: MessageBodies;
  readonly publisher: Publisher;
  readonly leases: LeaseRenewer;
  readonly exports: ExportLedger;
  /** Tells of every message that ends in this process. */
  readonly ends: EndedMessages;
  readonly stageCapacities: StageCapacities;
  /** The stages that this process works on, by now. */
  readonly workers: () => readonly StageWorker[];
}

/** What a capability contributes, all of it optional. */
export interface CapabilityParts<JobName extends string = never> {
  readonly services?: readonly Provided[];
  readonly hooks?: EngineHooks;
  /** Providers of the application that it is given, by what their classes carry. */
  readonly marked?: readonly MarkedProviders[];
  readonly jobs?: readonly Job<JobName>[];
  /** Brings those of its gauges up to date that can only be counted now and then, when somebody scrapes. */
  readonly readGauges?: (reading: GaugeReading) => void | Promise<void>;
  /** When the start-up checks have passed and before anything is claimed. */
  readonly beforeWork?: () => Promise<void>;
  /** The last call has ended, the stores are still open. */
  readonly stop?: () => Promise<void>;
}

/** Providers of a Nest application whose classes carry metadata under a key, as a decorator of the capability leaves it. */
export interface MarkedProviders {
  readonly metadata: string;
  /** Called once, before work begins, with the metadata and the instance of each. */
  readonly take: (found: readonly { readonly value: unknown; readonly instance: unknown }[]) => void;
}

/** What was read for a scrape, once for all. */
export interface GaugeReading {
  readonly counts: readonly LedgerCount[];
  readonly stages: readonly RegisteredStage[];
}

/** Where the engine asks. */
export interface EngineHooks {
  /** What every new message passes before it is written. */
  readonly admission?: AdmissionCheck;
  /** What every request to a model passes before it is reserved, in the order of the list of capabilities. */
  readonly gates?: readonly CallGate[];
  /** Who may put requests of messages off. One capability at most does. */
  readonly deferral?: CallDeferral;
  /** Who knows of equal requests of other messages. One capability at most does. */
  readonly sharing?: CallSharing;
  /** What every request has to fit when it is reserved. One capability at most sets quotas: their names are one space. */
  readonly quotas?: QuotaSource;
  /** Who follows runs while they go on. One capability at most does. */
  readonly follower?: RunFollower;
}

/** Something done over and over. */
export interface Job<Name extends string = string> {
  readonly name: Name;
  /** The pause after a turn that found nothing more to do. */
  readonly intervalMs: number;
  /** In every process, or in the one that has the role "maintenance" at the time. */
  readonly runsIn: 'every_process' | 'maintenance';
  /** One turn; true when there is more to do at once. One that takes long heeds the signal of a host that stops. */
  readonly turn: (signal: AbortSignal) => Promise<boolean>;
  /** In a process with the role that another one keeps at the time: what it must not go on showing. */
  readonly standBy?: () => void;
}
