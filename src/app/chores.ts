import { BackgroundLoop } from '../kernel/background-loop.ts';
import type { Clock } from '../kernel/clock.ts';
import type { ChoreName } from '../telemetry/chores.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MillraceMetrics } from '../telemetry/metrics.ts';

/** Makes the loop of a chore, which tells the log and the metrics how its turns end. */
export type MakeChore = (name: ChoreName, pauseMs: number, turn: () => Promise<boolean>) => BackgroundLoop;

/** The one place where the end of a chore's turn is told: a failure that lasts must reach an operator. */
export function choreMaker(parts: {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: MillraceMetrics;
}): MakeChore {
  const { clock, logger, metrics } = parts;
  return (chore, pauseMs, turn) => {
    metrics.initialise('background_failures_total', [{ chore }]);
    metrics.initialise('background_failing_seconds', [{ chore }]);
    return new BackgroundLoop({
      clock,
      pauseMs,
      turn,
      onTurnEnd: (end) => {
        if (end.kind === 'succeeded') {
          metrics.set('background_failing_seconds', { chore }, 0);
          return;
        }
        const { error, failingMs } = end;
        metrics.increment('background_failures_total', { chore });
        metrics.set('background_failing_seconds', { chore }, failingMs / 1000);
        logger.error({ error, chore, failingMs }, 'a background chore failed; it goes on');
      },
    });
  };
}
