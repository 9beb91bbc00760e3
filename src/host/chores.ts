import { BackgroundLoop, type TurnEnd } from '../kernel/background-loop.ts';
import type { Clock } from '../kernel/clock.ts';
import type { JobName } from './closed-names.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MillraceMetrics } from './metric-catalogue.ts';

/** Makes the loop of a chore, which tells the log and the metrics how its turns end. */
export type MakeChore = (name: JobName, pauseMs: number, turn: () => Promise<boolean>) => BackgroundLoop;

interface Tellers {
  readonly logger: Logger;
  readonly metrics: MillraceMetrics;
}

/** While a chore goes on failing, it says so at the first failure and then this often: some have five turns a second. */
const sayEveryMs = 10_000;

/** The one place where the end of a chore's turn is told: a failure that lasts must reach an operator. */
export function choreTeller(chore: JobName, { logger, metrics }: Tellers): (end: TurnEnd) => void {
  metrics.initialise('background_failures_total', [{ chore }]);
  metrics.initialise('background_failing_seconds', [{ chore }]);
  let said: { readonly atMs: number; suppressed: number } | undefined;
  return (end) => {
    if (end.kind === 'succeeded') {
      metrics.set('background_failing_seconds', { chore }, 0);
      said = undefined;
      return;
    }
    const { error, failingMs } = end;
    metrics.increment('background_failures_total', { chore });
    metrics.set('background_failing_seconds', { chore }, failingMs / 1000);
    if (said !== undefined && failingMs - said.atMs < sayEveryMs) {
      said.suppressed += 1;
      return;
    }
    const suppressed = said?.suppressed ?? 0;
    said = { atMs: failingMs, suppressed: 0 };
    logger.error({ error, chore, failingMs, suppressed }, 'a background chore failed; it goes on');
  };
}

/** Makes chores that tell how their turns end. */
export function choreMaker({ clock, ...tellers }: Tellers & { readonly clock: Clock }): MakeChore {
  return (chore, pauseMs, turn) =>
    new BackgroundLoop({ clock, pauseMs, turn, onTurnEnd: choreTeller(chore, tellers) });
}
