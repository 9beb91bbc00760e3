import type { StageCapacities } from '../engine/pipeline/stage-capacities.ts';
import type { StageWorker } from '../engine/pipeline/stage-worker.ts';
import type { HostBounds } from './host-bounds.ts';
import type { MetricCatalogue } from '../telemetry/metric-definition.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MillraceMetrics } from './metric-catalogue.ts';
import type { Tracing } from '../telemetry/tracing.ts';
import type { CapabilitySet, HostCapability } from './capability-set.ts';
import type { Configuration } from './configuration.ts';
import type { EngineServices } from './engine-services.ts';
import type { HostClock } from './host-clock.ts';
import type { HostModels } from './host-models.ts';
import type { LedgerWrites } from './ledger-writes.ts';
import type { startupChecks } from './startup.ts';
import type { Stores } from './stores.ts';

/** What a host is made of before it is a host. */
export interface HostParts {
  readonly configuration: Configuration;
  readonly logger: Logger;
  readonly clock: HostClock;
  readonly stores: Stores;
  readonly engine: EngineServices;
  readonly models: HostModels;
  readonly list: readonly HostCapability[];
  readonly capabilities: CapabilitySet;
  /** The metrics that there are. */
  readonly catalogue: MetricCatalogue;
  readonly metrics: MillraceMetrics;
  readonly tracing: Tracing;
  readonly stageCapacities: StageCapacities;
  readonly worker: string;
  readonly checkStartup: ReturnType<typeof startupChecks>;
  readonly writes: LedgerWrites;
  readonly bounds: HostBounds;
  /** Called with how the stages of this process are read, once there are any. */
  readonly onWorkers: (read: () => readonly StageWorker[]) => void;
}
