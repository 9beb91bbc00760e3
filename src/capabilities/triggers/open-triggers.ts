import { Blocks } from '../../engine/ledger/blocks.ts';
import { LedgerCounts } from '../../engine/ledger/ledger-counts.ts';
import type { Clock } from '../../kernel/clock.ts';
import { keepSecret } from '../../telemetry/known-secrets.ts';
import type { CapabilityContext, CapabilityParts, NameOf } from '../capability.ts';
import type { EventSource } from './source/event-source.ts';
import { PostgresSource } from './source/postgres-source.ts';
import { RedisSource } from './source/redis-source.ts';
import { TriggerIntake } from './trigger-intake.ts';
import { eventResults, type triggerMetrics } from './trigger-metrics.ts';
import type { triggerNames } from './trigger-names.ts';
import { TriggerPump } from './trigger-pump.ts';
import { TriggerRunner } from './trigger-runner.ts';
import { TriggerService, triggersOf } from './trigger-service.ts';
import type { SourceSettings, TriggersSettings } from './trigger-settings.ts';
import { UnreadableEvents } from './unreadable-events.ts';

const turnIntervalMs = 500;
const pruneMs = 60_000;
const pruneSlice = 500;

/** Composes triggers: the service for this process, what consumes sources, what forgets. */
export function openTriggers({
  settings: { triggers: settings },
  database,
  clock,
  metrics,
  logger,
  engine,
}: CapabilityContext<
  { readonly triggers: TriggersSettings },
  typeof triggerMetrics,
  NameOf<typeof triggerNames, 'jobs'>
>): CapabilityParts<NameOf<typeof triggerNames, 'jobs'>> {
  const { admissions, registry } = engine;
  const { sources, group: maxGroup, maxBacklog, keepUnreadableDays } = settings;
  for (const { url } of Object.values(sources)) {
    const { password } = new URL(url);
    if (password !== '') keepSecret(decodeURIComponent(password));
  }
  const unreadable = new UnreadableEvents(database);
  const intake = new TriggerIntake({ admissions, unreadable });
  let runner: TriggerRunner | undefined;
  return {
    services: [[TriggerService, new TriggerService(registry, intake, clock)]],
    jobs: [
      {
        name: 'triggers',
        intervalMs: turnIntervalMs,
        runsIn: 'maintenance',
        turn: async (signal) => (await runner?.turn(signal)) ?? false,
        standBy: () => {
          runner?.standBy().catch((error: unknown) => {
            logger.warn({ error }, 'the connections of triggers did not end in order');
          });
        },
      },
      {
        name: 'unreadable_events',
        intervalMs: pruneMs,
        runsIn: 'maintenance',
        turn: () => unreadable.forget(keepUnreadableDays, pruneSlice),
      },
    ],
    beforeWork: () => {
      const triggers = triggersOf(registry);
      const unused = Object.keys(sources).filter((name) => triggers.every(({ source }) => source !== name));
      if (unused.length > 0)
        logger.warn({ unused }, 'no trigger of this process takes events of these sources');
      const pumps = triggers.flatMap((trigger) => {
        const from = Object.hasOwn(sources, trigger.source) ? sources[trigger.source] : undefined;
        for (const result of eventResults)
          metrics.increment('trigger_events_total', { trigger: trigger.name, result }, 0);
        if (from === undefined) return [];
        const source = openSource(from, clock);
        return [new TriggerPump({ trigger, source, intake, metrics, clock, logger, maxGroup })];
      });
      const blocks = new Blocks({ database, clock });
      const counts = new LedgerCounts(database);
      const readBlocks = () => blocks.read();
      runner = new TriggerRunner({ pumps, registry, readBlocks, counts, metrics, clock, maxBacklog });
      return Promise.resolve();
    },
    stop: async () => {
      await runner?.close();
    },
  };
}

/** What consumes a source. Nothing is connected yet. */
export function openSource(settings: SourceSettings, clock: Clock): EventSource {
  return settings.kind === 'redis' ? new RedisSource(settings) : new PostgresSource(settings, clock);
}
