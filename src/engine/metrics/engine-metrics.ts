import type { Metrics } from '../../telemetry/metrics.ts';
import { parkReasons } from '../parked.ts';
import { callMetrics } from './call-metrics.ts';
import { exportMetrics } from './export-metrics.ts';
import { ledgerMetrics } from './ledger-metrics.ts';
import { pipelineMetrics } from './pipeline-metrics.ts';

/** The metrics of the engine, for those reasons for which work is put aside. */
export const engineCatalogue = <const Reasons extends readonly string[]>(reasons: Reasons) =>
  ({ ...pipelineMetrics(reasons), ...callMetrics, ...ledgerMetrics, ...exportMetrics }) as const;

export type EngineCatalogue = ReturnType<typeof engineCatalogue<readonly string[]>>;

/** What the engine reports to. */
export type EngineMetrics = Metrics<EngineCatalogue>;

/** The metrics of an engine without capabilities. */
export const bareEngineCatalogue = engineCatalogue(parkReasons);
