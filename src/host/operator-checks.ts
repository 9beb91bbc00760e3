import type { Clock } from '../kernel/clock.ts';
import type { StageDefinition } from '../engine/pipeline/stage-definition.ts';
import type { Configuration } from './configuration.ts';
import { configuredModels } from './configured-models.ts';
import { requireData, withOperatorStores } from './operator-stores.ts';
import { allowing, type Finding, findFaults } from './startup-checks.ts';
import { readStartupFacts } from './startup-facts.ts';
import { openQueues } from './stores.ts';

/** What a start with this configuration would find. Changes nothing; embedded queues are not looked at. */
export async function findStartupFaults(
  configuration: Configuration,
  { clock, definitions }: { readonly clock: Clock; readonly definitions: readonly StageDefinition[] },
): Promise<readonly Finding[]> {
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
      });
      return allowing(findFaults(facts), configuration.startup.allow ?? []);
    });
  } finally {
    await queues?.close();
  }
}
