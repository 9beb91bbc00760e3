import type { Capability, ClosedNames, NameOf } from '../capabilities/capability.ts';
import { engineBounds } from '../engine/metrics/engine-bounds.ts';
import { parkReasons } from '../engine/parked.ts';
import { capabilities, type OwnCapability } from './capabilities.ts';

/*
 * Names that metrics, documents and configuration know: those of the engine and of the host itself, which stand here, and those
 * that the capabilities declare.
 */

const ownNames = {
  jobs: [
    'sweep',
    'message_starts',
    'export',
    'ledger_counts',
    'abandoned_calls',
    'joins',
    'retention',
    'payloads',
    'gauges',
    'stage_ends',
    'concurrency',
    'clock',
  ],
  vitalJobs: ['sweep', 'message_starts'],
  bounds: [
    ...engineBounds,
    'outbox',
    'database_connections',
    'metric_series',
    'trace_spans',
    'http_requests',
    'http_body_bytes',
    'http_turns',
  ],
  boundsFullUnderLoad: ['export_batch', 'worker_slots'],
  parkReasons,
  findings: [
    'queue_unsafe',
    'clocks_apart',
    'migrations_pending',
    'ledger_unsafe',
    'usage_deduplication_off',
    'usage_unreadable',
    'variable_unknown',
    'stage_without_schema',
    'model_unknown',
    'model_unpriced',
  ],
} as const satisfies ClosedNames;

type Contributed<List extends keyof ClosedNames> = OwnCapability extends infer One
  ? One extends { readonly names: infer Names }
    ? NameOf<Names, List>
    : never
  : never;

type Name<List extends keyof ClosedNames> = (typeof ownNames)[List][number] | Contributed<List>;

/** Every name by its list, for the host with all its capabilities. */
export type HostNames = { readonly [List in keyof ClosedNames]: readonly Name<List>[] };

/** What is done over and over beside the work. */
export type JobName = Name<'jobs'>;
/** What a start-up check may find. */
export type FindingCode = Name<'findings'>;
/** What is bounded. */
export type BoundName = Name<'bounds'>;

/** The names of a host with these capabilities. */
export function namesOf(list: readonly Pick<Capability, 'name' | 'names'>[]): HostNames {
  const all = (key: keyof ClosedNames): readonly string[] => [
    ...ownNames[key],
    ...list.flatMap(({ names }) => names?.[key] ?? []),
  ];
  // With fewer capabilities there are fewer names, which the type need not know: nobody is there who would use them.
  return {
    jobs: all('jobs'),
    vitalJobs: all('vitalJobs'),
    bounds: all('bounds'),
    boundsFullUnderLoad: all('boundsFullUnderLoad'),
    parkReasons: all('parkReasons'),
    findings: all('findings'),
  } as HostNames;
}

/** The names of the host with everything. */
export const closedNames = namesOf(capabilities);
