import { AppError } from '../../kernel/app-error.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Schedule } from './schedule.ts';
import { storedDefinition } from './schedule-definition.ts';
import type { ConfiguredSchedule } from './schedule-settings.ts';
import type { ScheduleStore } from './schedule-store.ts';

const by = { actor: 'configuration', reason: 'the configuration of a host that started' } as const;

/**
 * Makes the schedules of a configuration what it says: new ones are made, changed ones replaced, those that it no longer has deleted. Those
 * of operators are not touched, also where they have the name; nor is whether one is paused. One that cannot be made is told of, and keeps
 * no other from it.
 */
export async function applySchedules(
  store: ScheduleStore,
  configured: readonly ConfiguredSchedule[],
  logger: Logger,
): Promise<void> {
  const present = new Map((await store.listConfigured()).map((schedule) => [keyOf(schedule), schedule]));
  for (const { name, ...definition } of configured) {
    const order = { name, source: 'configuration', definition } as const;
    const key = keyOf({ team: definition.message.origin.team, name });
    const known = present.get(key);
    present.delete(key);
    await orTell(logger, name, async () => {
      if (known === undefined) await store.create(order, by);
      else if (storedDefinition(known.definition) !== storedDefinition(definition))
        await store.replace(known.id, order, by);
    });
  }
  for (const { id, name } of present.values())
    await orTell(logger, name, async () => void (await store.delete(id, 'configuration', by)));
}

async function orTell(logger: Logger, schedule: string, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    // A store that is away keeps the host from starting, as elsewhere; what one schedule says keeps nobody from it.
    if (!(error instanceof AppError) || error.retryable) throw error;
    logger.error({ error, schedule }, 'a schedule of the configuration could not be made so');
  }
}

function keyOf({ team, name }: Pick<Schedule, 'team' | 'name'>): string {
  return `${name}/${team}`;
}
