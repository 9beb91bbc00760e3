import type { Uuid } from '../../kernel/ids.ts';
import { definitionOf, type ScheduleDefinition } from './schedule-definition.ts';

export type ScheduleSource = 'operator' | 'configuration';
export type ScheduleState = 'active' | 'paused' | 'failing' | 'ended';

/** A schedule as the ledger has it. */
export interface Schedule {
  readonly id: Uuid;
  readonly team: string;
  readonly name: string;
  readonly source: ScheduleSource;
  readonly definition: ScheduleDefinition;
  /** Where even steps begin. */
  readonly fromAt: Date;
  readonly pausedAt: Date | undefined;
  readonly pausedBy: string | undefined;
  readonly nextAt: Date | undefined;
  readonly failure: { readonly since: Date; readonly code: string; readonly detail: string } | undefined;
  readonly actor: string;
  readonly createdAt: Date;
  readonly changedAt: Date;
}

export interface ScheduleRow {
  readonly id: Uuid;
  readonly team: string;
  readonly name: string;
  readonly source: ScheduleSource;
  readonly definition: string;
  readonly from_at: Date;
  readonly paused_at: Date | null;
  readonly paused_by: string | null;
  readonly next_at: Date | null;
  readonly failing_since: Date | null;
  readonly failure_code: string | null;
  readonly failure_detail: string | null;
  readonly actor: string;
  readonly created_at: Date;
  readonly changed_at: Date;
}

export function scheduleOf(row: ScheduleRow): Schedule {
  return {
    id: row.id,
    team: row.team,
    name: row.name,
    source: row.source,
    definition: definitionOf(row.definition),
    fromAt: row.from_at,
    pausedAt: row.paused_at ?? undefined,
    pausedBy: row.paused_by ?? undefined,
    nextAt: row.next_at ?? undefined,
    failure:
      row.failing_since === null
        ? undefined
        : { since: row.failing_since, code: row.failure_code ?? '', detail: row.failure_detail ?? '' },
    actor: row.actor,
    createdAt: row.created_at,
    changedAt: row.changed_at,
  };
}

export function stateOf({ pausedAt, failure, nextAt }: Schedule): ScheduleState {
  if (pausedAt !== undefined) return 'paused';
  if (failure !== undefined) return 'failing';
  return nextAt === undefined ? 'ended' : 'active';
}
