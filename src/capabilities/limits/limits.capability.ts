import type { Capability } from '../capability.ts';
import { type RateSettings, limitsGate } from './configured-model-limits.ts';
import { type HealthSettings, SharedModelHealth } from './shared-model-health.ts';

interface Settings {
  readonly models: HealthSettings & RateSettings;
}

/** Limits of requests and tokens of models, their circuits, and the retry budget. */
export const limits: Capability<Settings> = {
  name: 'limits',
  open: async (context) => {
    const { models } = context.settings;
    const health = SharedModelHealth.open({ ...context, models });
    const limit = await limitsGate({ ...context, models, stageGates: context.engine.stageGates });
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
  },
};
