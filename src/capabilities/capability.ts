import type { AdmissionCheck, Admissions } from '../engine/pipeline/admissions.ts';
import type { EndedMessages } from '../engine/pipeline/ended-messages.ts';
import type { LeaseKeeper } from '../engine/pipeline/lease-keeper.ts';
import type { MessageBodies } from '../engine/pipeline/message-bodies.ts';
import type { Publisher } from '../engine/pipeline/publisher.ts';
import type { StageGates } from '../engine/pipeline/stage-gates.ts';
import type { StageRegistry } from '../engine/pipeline/stage-registry.ts';
import type { StageWorker } from '../engine/pipeline/stage-worker.ts';
import type { CallGate } from '../engine/calls/call-gate.ts';
import type { ModelGateway } from '../engine/calls/model-gateway.ts';
import type { QuotaSource } from '../engine/calls/quota-source.ts';
import type { ExportLedger } from '../engine/export/export-ledger.ts';
import type { ProviderRegistry } from '../engine/providers/provider-registry.ts';
import type { ColumnStore } from '../drivers/column-store/column-store.ts';
import type { PayloadStore } from '../drivers/payload-store/payload-store.ts';
import type { SqlDatabase } from '../drivers/sql-database/sql-database.ts';
import type { BackgroundLoop } from '../kernel/background-loop.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Pricer } from '../pricing/price.ts';
import type { Bounds } from '../telemetry/bounds.ts';
import type { ChoreName } from '../telemetry/chores.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MillraceMetrics } from '../telemetry/metrics.ts';
import type { HttpPart, ServiceToken } from './http-part.ts';
import type { WaitExplanations } from './wait-explanation.ts';

/*
 * What a capability is to the host. `src/host/capabilities.ts` is the list; the host opens them in its order, asks each what
 * it contributes, and knows none of them by name. CONTRIBUTING.md says how to add one.
 */

/** A service that a capability offers to its controllers and to applications. */
export type Provided = readonly [token: ServiceToken, service: unknown];

/** One capability, whole in its folder. `Settings` is what it reads of the configuration. */
export interface Capability<Settings> {
  readonly name: string;
  /** Its part of the HTTP API, loaded where there is one. */
  readonly http?: () => Promise<HttpPart>;
  /** What it tells of messages that wait for what it sets, as of now: where a status is shown, also without a host. */
  readonly explainWaits?: (database: SqlDatabase) => Promise<WaitExplanations>;
  /** Composes its services; nothing runs yet. Throws MILLRACE_CONFIG_INVALID for settings that cannot be kept. */
  readonly open: (context: CapabilityContext<Settings>) => CapabilityParts | Promise<CapabilityParts>;
}

/** What a capability is given. */
export interface CapabilityContext<Settings> {
  readonly settings: Settings;
  readonly database: SqlDatabase;
  readonly columns: ColumnStore;
  readonly payloads: PayloadStore;
  /** The ledger's time. */
  readonly clock: Clock;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: MillraceMetrics;
  readonly bounds: Bounds;
  readonly engine: EnginePorts;
  /** Makes a loop of its own, for what must be nudged or must end in order; most say what they do in `jobs`. */
  readonly makeLoop: (name: ChoreName, pauseMs: number, turn: () => Promise<boolean>) => BackgroundLoop;
}

/** What the engine offers to capabilities. */
export interface EnginePorts {
  readonly admissions: Admissions;
  readonly models: ModelGateway;
  readonly providers: ProviderRegistry;
  readonly pricer: Pricer;
  readonly registry: StageRegistry;
  readonly bodies: MessageBodies;
  readonly publisher: Publisher;
  readonly leases: LeaseKeeper;
  readonly exports: ExportLedger;
  /** Tells of every message that ends in this process. */
  readonly ends: EndedMessages;
  readonly stageGates: StageGates;
  /** The stages that this process works on, by now. */
  readonly workers: () => readonly StageWorker[];
}

/** What a capability contributes, all of it optional. */
export interface CapabilityParts {
  readonly services?: readonly Provided[];
  readonly hooks?: EngineHooks;
  readonly jobs?: readonly Job[];
  /** When the start-up checks have passed and before anything is claimed. */
  readonly beforeWork?: () => Promise<void>;
  /** The last call has ended, the stores are still open. */
  readonly stop?: () => Promise<void>;
}

/** Where the engine asks. */
export interface EngineHooks {
  /** What every new message passes before it is written. */
  readonly admission?: AdmissionCheck;
  /** What every request to a model passes before it is reserved, in the order of the list of capabilities. */
  readonly gates?: readonly CallGate[];
  /** What every request has to fit when it is reserved. One capability at most sets quotas: their names are one space. */
  readonly quotas?: QuotaSource;
}

/** Something done over and over. */
export interface Job {
  readonly name: ChoreName;
  /** The pause after a turn that found nothing more to do. */
  readonly intervalMs: number;
  /** In every process, or in the one that has the role "relay" at the time. */
  readonly runsIn: 'every_process' | 'relay';
  /** One turn; true when there is more to do at once. */
  readonly turn: () => Promise<boolean>;
  /** In a process with the role that another one keeps at the time: what it must not go on showing. */
  readonly standBy?: () => void;
}
