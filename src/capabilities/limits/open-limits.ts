import type { CapabilityContext, CapabilityParts, NameOf } from '../capability.ts';
import { type RateSettings, limitsGate } from './configured-model-limits.ts';
import { type HealthSettings, SharedModelHealth } from './shared-model-health.ts';
import type { limitMetrics } from './limit-metrics.ts';
import type { limitNames } from './limit-names.ts';

interface Settings {
  readonly models: HealthSettings & RateSettings;
}

/** Composes the gates before requests to models. */
export async function openLimits(
  context: CapabilityContext<
    Settings,
    typeof limitMetrics,
    NameOf<typeof limitNames, 'jobs'>,
    NameOf<typeof limitNames, 'bounds'>
  >,
): Promise<CapabilityParts> {
  const { models } = context.settings;
  const health = SharedModelHealth.open({ ...context, models });
  const limit = await limitsGate({ ...context, models, stageCapacities: context.engine.stageCapacities });
  return {
    // Tokens are taken last: what is refused before need not give them back.
    hooks: { gates: [...health.gates, limit] },
    beforeWork: () => {
      health.start();
      return Promise.resolve();
    },
    stop: async () => {
      await health.stop();
      await limit.close();
    },
  };
}
