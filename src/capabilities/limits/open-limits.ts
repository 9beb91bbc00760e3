import type { CapabilityContext, CapabilityParts, NameOf } from '../capability.ts';
import { limitsGate, type WaitSettings } from './configured-model-limits.ts';
import { SharedModelHealth, type StandInSettings } from './shared-model-health.ts';
import { LimitBook } from './limit-book.ts';
import { LimitService } from './limit-service.ts';
import { LimitWatch } from './limit-watch.ts';
import { SetLimits } from './set-limits.ts';
import type { limitMetrics } from './limit-metrics.ts';
import type { limitNames } from './limit-names.ts';
import type { LimitSettings } from './limit-settings.ts';

const watchIntervalMs = 1000;

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
): Promise<CapabilityParts<'model_limits'>> {
  const { limits, models } = context.settings;
  const book = new LimitBook(limits.models);
  const setLimits = new SetLimits(context);
  const watch = new LimitWatch({ book, limits: setLimits, logger: context.logger });
  const health = SharedModelHealth.open({ ...context, limits, models });
  const limit = await limitsGate({
    ...context,
    limits: limits.models,
    models,
    book,
    stageCapacities: context.engine.stageCapacities,
  });
  return {
    // Tokens are taken last: what is refused before need not give them back.
    hooks: { gates: [...health.gates, limit] },
    services: [[LimitService, new LimitService({ configured: limits.models, limits: setLimits })]],
    jobs: [
      {
        name: 'model_limits',
        intervalMs: watchIntervalMs,
        runsIn: 'every_process',
        turn: () => watch.look(),
      },
    ],
    beforeWork: async () => {
      health.start();
      await watch.look();
    },
    stop: async () => {
      await health.stop();
      await limit.close();
    },
  };
}
