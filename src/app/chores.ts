import { BackgroundLoop, type TurnEnd } from '../kernel/background-loop.ts';
import type { Clock } from '../kernel/clock.ts';
import type { ChoreName } from '../telemetry/chores.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MillraceMetrics } from '../telemetry/metrics.ts';

/** Makes the loop of a chore, which tells the log and the metrics how its turns end. */
export type MakeChore = (name: ChoreName, pauseMs: number, turn: () => Promise<boolean>) => BackgroundLoop;

interface Tellers {
  readonly logger: Logger;
  readonly metrics: MillraceMetrics;
}

/** The one place where the end of a chore's turn is told: a failure that lasts must reach an operator. */
export function choreTeller(chore: ChoreName, { logger, metrics }: Tellers): (end: TurnEnd) => void {
  metrics.initialise('background_failures_total', [{ chore }]);
  metrics.initialise('background_failing_seconds', [{ chore }]);
  return (end) => {
    if (end.kind === 'succeeded') {
      metrics.set('background_failing_seconds', { chore }, 0);
      return;
    }
    const { error, failingMs } = end;
    metrics.increment('background_failures_total', { chore });
    metrics.set('background_failing_seconds', { chore }, failingMs / 1000);
    logger.error({ error, chore, failingMs }, 'a background chore failed; it goes on');
  };
}

/** Makes chores that tell how their turns end. */
export function choreMaker({ clock, ...tellers }: Tellers & { readonly clock: Clock }): MakeChore {
  return (chore, pauseMs, turn) =>
    new BackgroundLoop({ clock, pauseMs, turn, onTurnEnd: choreTeller(chore, tellers) });
}
