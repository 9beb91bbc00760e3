import type { MillraceMetrics } from '../../host/metric-catalogue.ts';

const sample = /^millrace_calls_reused_total(?:\{[^}]*\})? (\S+)$/gm;

/**
 * How many steps of this process were answered from a recorded answer. Counted by its metrics, so what earlier
 * processes of the same run reused is not in it.
 */
export async function readReusedCalls(metrics: MillraceMetrics): Promise<number> {
  const { body } = await metrics.render();
  return [...body.matchAll(sample)].reduce((sum, [, value]) => sum + Number(value), 0);
}
