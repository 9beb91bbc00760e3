import type { Uuid } from '../../kernel/ids.ts';
import type { MessageState } from '../../engine/ledger/message-state.ts';
import type { Viewer } from '../../http/operator.ts';

/** Which messages. A part that is absent selects everything. */
export interface MessageFilter {
  readonly ids?: readonly Uuid[];
  readonly state?: readonly MessageState[];
  readonly stage?: readonly string[];
  readonly pipeline?: readonly string[];
  /** Teams that own stages. */
  readonly owner?: readonly string[];
  /** Teams of the origin. */
  readonly team?: readonly string[];
  readonly customer?: readonly string[];
  readonly feature?: readonly string[];
  readonly batch?: readonly string[];
  readonly type?: readonly string[];
  /** CloudEvents ids, as the senders gave them. */
  readonly eventId?: readonly string[];
  readonly errorCode?: readonly string[];
  /** When it was written: from this moment on … */
  readonly from?: Date;
  /** … and before this one. */
  readonly to?: Date;
}

/** A place in the list: when the message was written, in microseconds, and its id. */
export interface MessagePlace {
  readonly createdUs: string;
  readonly id: Uuid;
}

/**
 * $1 teams, $2 ids, $3 states, $4 stages, $5 pipelines, $6 owners, $7 customers, $8 features, $9 batches, $10 types,
 * $11 event ids, $12 error codes, $13 and $14 when it was written. The teams are those that the viewer may see.
 */
export const selectedMessages = `($1::text[] is null or m.team = any($1::text[]))
     and ($2::uuid[] is null or m.id = any($2::uuid[]))
     and ($3::text[] is null or m.state = any($3::text[]))
     and ($4::text[] is null or m.stage = any($4::text[]))
     and ($5::text[] is null or m.pipeline = any($5::text[]))
     and ($6::text[] is null or m.owner = any($6::text[]))
     and ($7::text[] is null or m.customer = any($7::text[]))
     and ($8::text[] is null or m.feature = any($8::text[]))
     and ($9::text[] is null or m.batch = any($9::text[]))
     and ($10::text[] is null or m.type = any($10::text[]))
     and ($11::text[] is null or m.event_id = any($11::text[]))
     and ($12::text[] is null or m.error_code = any($12::text[]))
     and m.created_at >= coalesce($13::timestamptz, '-infinity')
     and m.created_at < coalesce($14::timestamptz, 'infinity')`;

/** The fourteen parameters that every selection begins with. */
export function selectionParameters(filter: MessageFilter, viewer: Viewer): readonly unknown[] {
  return [
    teamsOf(filter, viewer),
    filter.ids,
    filter.state,
    filter.stage,
    filter.pipeline,
    filter.owner,
    filter.customer,
    filter.feature,
    filter.batch,
    filter.type,
    filter.eventId,
    filter.errorCode,
    filter.from,
    filter.to,
  ];
}

/** Whether the filter asks for more than teams and times, which the list's order answers by itself. */
export function isNarrowed({ team: _team, from: _from, to: _to, ...narrowing }: MessageFilter): boolean {
  return Object.values(narrowing).some((values) => values !== undefined);
}

function teamsOf({ team: asked }: MessageFilter, { team }: Viewer): readonly string[] | undefined {
  if (team === undefined) return asked === undefined ? undefined : [...new Set(asked)];
  return asked === undefined || asked.includes(team) ? [team] : [];
}
