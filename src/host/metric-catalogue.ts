import type { Capability } from '../capabilities/capability.ts';
import { engineCatalogue } from '../engine/metrics/engine-metrics.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { capabilities, type OwnCapability } from './capabilities.ts';
import { type HostNames, namesOf } from './closed-names.ts';
import { processMetrics } from './process-metrics.ts';

type UnionToIntersection<Union> = (Union extends unknown ? (one: Union) => void : never) extends (
  all: infer All,
) => void
  ? All
  : never;

type Contributed = UnionToIntersection<
  OwnCapability extends infer One ? (One extends { readonly metrics: infer Own } ? Own : never) : never
>;

/** Every metric of a host with all capabilities. */
export type HostCatalogue = ReturnType<typeof processMetrics<HostNames['jobs'], HostNames['bounds']>> &
  ReturnType<typeof engineCatalogue<HostNames['parkReasons']>> &
  Contributed;

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
