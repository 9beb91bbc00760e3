import type { CapabilityContext, CapabilityParts, NameOf } from '../capability.ts';
import { limitsGate, type WaitSettings } from './configured-model-limits.ts';
import { SharedModelHealth, type StandInSettings } from './shared-model-health.ts';
import type { limitMetrics } from './limit-metrics.ts';
import type { limitNames } from './limit-names.ts';
import type { LimitSettings } from './limit-settings.ts';

interface Settings {
  readonly limits: LimitSettings;
  readonly models: StandInSettings & WaitSettings;
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
  const { limits, models } = context.settings;
  const health = SharedModelHealth.open({ ...context, limits, models });
  const limit = await limitsGate({
    ...context,
    limits: limits.models,
    models,
    stageCapacities: context.engine.stageCapacities,
  });
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
