import type { Capability } from '../capabilities/capability.ts';
import { engineCatalogue } from '../engine/metrics/engine-metrics.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { capabilities } from './capabilities.ts';
import { type HostNames, namesOf } from './closed-names.ts';
import type { Contributed } from './contributed.ts';
import { processMetrics } from './process-metrics.ts';

/** Every metric of a host with all capabilities. */
export type HostCatalogue = ReturnType<
  typeof processMetrics<HostNames['jobs'], HostNames['bounds'], HostNames['findings']>
> &
  ReturnType<typeof engineCatalogue<HostNames['parkReasons']>> &
  Contributed<'metrics'>;

/** Every metric of a host with these capabilities by its name without the prefix. */
export function catalogueOf(list: readonly Pick<Capability, 'name' | 'metrics' | 'names'>[]): HostCatalogue {
  const names = namesOf(list);
  // Of a capability that is not there, nobody is there who would feed its metrics.
  return Object.assign(
    { ...processMetrics(names), ...engineCatalogue(names.parkReasons) },
    ...list.map(({ metrics = {} }) => metrics),
  ) as HostCatalogue;
}

/** Every metric of the product: code, boards, alert rules and docs/metrics.md read this one table. */
export const metricCatalogue = catalogueOf(capabilities);

/** What the host reports to. */
export type MillraceMetrics = Metrics<HostCatalogue>;
