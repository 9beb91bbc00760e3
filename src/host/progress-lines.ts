import { BackgroundJob } from '../kernel/background-job.ts';
import type { Clock } from '../kernel/clock.ts';
import type { MillraceMetrics } from './metric-catalogue.ts';

/** A line of progress is written at most so often. */
const intervalMs = 2000;

/** What this process did so far, as one line: "summarise 120 done, 1 dead-lettered | spent 0.0123 USD". */
export async function progressLine(metrics: MillraceMetrics): Promise<string> {
  const [messages, costs] = await Promise.all([
    metrics.readCounter('stage_messages_total'),
    metrics.readCounter('cost_usd_total'),
  ]);
  const counts = new Map<string, { done: number; dead: number }>();
  for (const { labels, value } of messages) {
    const { stage = '', outcome } = labels;
    const known = counts.get(stage) ?? { done: 0, dead: 0 };
    if (outcome === 'success') known.done += value;
    if (outcome === 'dead_lettered') known.dead += value;
    counts.set(stage, known);
  }
  const parts = [...counts]
    .filter(([, { done, dead }]) => done + dead > 0)
    .map(([stage, { done, dead }]) => `${stage} ${done} done${dead === 0 ? '' : `, ${dead} dead-lettered`}`);
  // For eyes on a terminal: the money of record is in the ledger.
  const spent = costs.reduce((sum, { value }) => sum + value, 0);
  return parts.length === 0 ? '' : [...parts, `spent ${spent.toFixed(6)} USD`].join(' | ');
}

/**
 * Writes the line whenever it has changed, from the counters of this process: it asks no store. `stop` of the loop
 * writes nothing more.
 */
export function progressLines(
  metrics: MillraceMetrics,
  clock: Clock,
  write: (line: string) => void,
): BackgroundJob {
  let last = '';
  return new BackgroundJob({
    clock,
    intervalMs,
    turn: async () => {
      const line = await progressLine(metrics);
      if (line !== last) write(line);
      last = line;
      return false;
    },
    // What cannot be shown is no reason to disturb the work.
    onTurnEnd: () => undefined,
  });
}
