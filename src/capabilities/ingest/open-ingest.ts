import { ToldCalls } from '../../engine/ledger/told-calls.ts';
import type { CapabilityContext, CapabilityParts, NameOf } from '../capability.ts';
import { EventIntake } from './event-intake.ts';
import type { ingestNames } from './ingest-names.ts';
import { TraceIntake } from './traces/trace-intake.ts';
import { keptKeyDays } from './usage/told-time.ts';
import { UsageIntake } from './usage/usage-intake.ts';
import { toldWays, type usageMetrics, usageOutcomes } from './usage/usage-metrics.ts';

const hourMs = 3_600_000;
/** Keys that are forgotten at a time. */
const forgottenAtOnce = 5_000;

/** Composes the intake of events, and of usage that happened elsewhere. */
export function openIngest({
  database,
  clock,
  metrics,
  engine: { admissions, pricer },
}: CapabilityContext<unknown, typeof usageMetrics, NameOf<typeof ingestNames, 'jobs'>>): CapabilityParts<
  NameOf<typeof ingestNames, 'jobs'>
> {
  const calls = new ToldCalls(database);
  metrics.initialise(
    'usage_told_total',
    toldWays.flatMap((way) => usageOutcomes.map((outcome) => ({ way, outcome }))),
  );
  return {
    services: [
      [EventIntake, new EventIntake(admissions)],
      [UsageIntake, new UsageIntake({ calls, pricer, clock, metrics })],
      [TraceIntake, new TraceIntake({ calls, pricer, clock, metrics })],
    ],
    jobs: [
      {
        name: 'told_usage_keys',
        intervalMs: hourMs,
        runsIn: 'maintenance',
        // A day more than calls may be old: what is refused by its age was never forgotten before.
        turn: () => calls.forget((keptKeyDays + 1) * 24 * hourMs, forgottenAtOnce),
      },
    ],
  };
}
