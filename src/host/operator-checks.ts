import type { Clock } from '../kernel/clock.ts';
import type { StageDefinition } from '../engine/pipeline/stage-definition.ts';
import type { Configuration } from './configuration.ts';
import { capabilities } from './capabilities.ts';
import { checkCapabilities } from './capability-checks.ts';
import { configuredModels } from './configured-models.ts';
import type { Environment } from './environment-variables.ts';
import { unknownVariablesOf } from './load-configuration.ts';
import { requireData, withOperatorStores } from './operator-stores.ts';
import { allowing, findFaults, type HostFinding } from './startup-checks.ts';
import { readStartupFacts } from './startup-facts.ts';
import { openQueues } from './stores.ts';

interface CheckedStart {
  readonly clock: Clock;
  readonly definitions: readonly StageDefinition[];
  readonly environment: Environment;
}

/** What a start with this configuration would find. Changes nothing; embedded queues are not looked at. */
export async function findStartupFaults(
  configuration: Configuration,
  { clock, definitions, environment }: CheckedStart,
): Promise<readonly HostFinding[]> {
  requireData(configuration);
  const models = await configuredModels(configuration);
  const queues = configuration.queue.url === undefined ? undefined : await openQueues(configuration);
  try {
    return await withOperatorStores(configuration, async (stores) => {
      const isEmbedded = configuration.ledger.url === undefined;
      const facts = await readStartupFacts({
        ...stores,
        ...models,
        queues,
        clock,
        isEmbedded,
        checksMigrations: true,
        needsUsage: true,
        definitions,
        unknownVariables: unknownVariablesOf(environment),
      });
      const sources = { ...stores, ...models, settings: configuration, clock, definitions };
      const found = [...findFaults(facts), ...(await checkCapabilities(capabilities, sources))];
      return allowing(found, configuration.startup.allow ?? []);
    });
  } finally {
    await queues?.close();
  }
}
