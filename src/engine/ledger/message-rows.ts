import { type JsonRow, jsonRow } from '../../drivers/sql-database/json-rows.ts';
import type { Uuid } from '../../kernel/ids.ts';
import type { Start } from '../../messages/start-time.ts';
import type {
  Admission,
  EmittedWait,
  Emission,
  End,
  Finish,
  Park,
  Retry,
  RunRef,
} from './message-changes.ts';
import { joinRow } from './join-rows.ts';
import { outcomeDetail } from './record-detail.ts';
import { originColumns, type StoredBody } from './stored-message.ts';

/*
 * Messages and the ends of their runs as the statements take them. Each is made before it joins a group, so that what cannot be
 * written as JSON is refused alone (see jsonRow).
 */

/** One run of a message, with its row. */
export interface RunRow extends RunRef {
  readonly row: JsonRow;
}

/** A run that ends, with the record of its outcome. */
export interface EndRow extends RunRow {
  readonly outcome: JsonRow;
}

/** A run that ended well, with what it emitted. */
export interface FinishRow extends RunRow {
  readonly emissions: readonly JsonRow[];
  readonly joins: readonly JsonRow[];
}

export interface AdmissionRow {
  readonly id: Uuid;
  readonly row: JsonRow;
}

/** A message to be admitted. Throws MILLRACE_DATA_REFUSED, as all of these. */
export function admissionRow({
  envelope,
  orderKey,
  body,
  bodyBytes,
  start,
  leaseMs,
}: Admission): AdmissionRow {
  const row = jsonRow('admit', () => ({
    id: envelope.id,
    source: envelope.source,
    event_id: envelope.eventId,
    type: envelope.type,
    version: envelope.version,
    pipeline: envelope.pipeline,
    stage: envelope.stage,
    owner: envelope.owner,
    lane: envelope.lane,
    ...originColumns(envelope.origin),
    item: envelope.item,
    trace_parent: envelope.traceParent,
    ...bodyColumns(body),
    body_bytes: bodyBytes,
    order_key: orderKey,
    lease_ms: leaseMs,
    ...startColumns(start),
  }));
  return { id: envelope.id, row };
}

export function finishRow(finish: Finish): FinishRow {
  const { id, fencingToken, result, durationMs } = finish;
  return {
    id,
    fencingToken,
    row: jsonRow('finish', () => ({
      id,
      fencing_token: fencingToken,
      result,
      detail: outcomeDetail(durationMs),
    })),
    emissions: finish.emissions.map((emission) => emissionRow(finish, emission)),
    joins: (finish.joins ?? []).map((join) => joinRow(finish, join)),
  };
}

export function retryRow(retry: Retry): RunRow {
  const { id, fencingToken, delayMs, code, detail, isInvalidOutput, waitsFor } = retry;
  const row = jsonRow('retry', () => ({
    id,
    fencing_token: fencingToken,
    waits_for: waitsFor,
    delay_ms: Math.round(delayMs),
    is_invalid_output: isInvalidOutput,
    code,
    detail,
  }));
  return { id, fencingToken, row };
}

export function parkRow({ id, fencingToken, delayMs, parkedFor, waitsFor }: Park): RunRow {
  const row = jsonRow('park', () => ({
    id,
    fencing_token: fencingToken,
    delay_ms: delayMs === undefined ? undefined : Math.round(delayMs),
    parked_for: parkedFor,
    waits_for: waitsFor,
  }));
  return { id, fencingToken, row };
}

export function endRow(end: End): EndRow {
  const { id, fencingToken, state, code, detail, isInvalidOutput } = end;
  const row = jsonRow('end', () => ({
    id,
    fencing_token: fencingToken,
    state,
    code,
    detail,
    is_invalid_output: isInvalidOutput,
  }));
  const outcome = jsonRow('outcome', () => ({
    message_id: id,
    fencing_token: fencingToken,
    line: end.outcomeLine,
  }));
  return { id, fencingToken, row, outcome };
}

function emissionRow(parent: Finish, emission: Emission): JsonRow {
  return jsonRow('emit', () => ({
    id: emission.id,
    parent_id: parent.id,
    parent_fencing_token: parent.fencingToken,
    source: emission.source,
    type: emission.type,
    version: emission.version,
    pipeline: emission.pipeline,
    stage: emission.stage,
    owner: emission.owner,
    lane: emission.lane,
    trace_parent: emission.traceParent,
    ...bodyColumns(emission.body),
    body_bytes: emission.bodyBytes,
    order_key: emission.orderKey,
    lease_ms: emission.leaseMs,
    branch_id: emission.branch?.id,
    ends_branch: emission.branch?.isMessageOnly === true ? true : undefined,
    join_id: emission.joinId,
    parked_for: emission.waits?.parkedFor,
    ...waitColumns(emission.waits),
    ...startColumns(emission.start),
  }));
}

function waitColumns(waits: EmittedWait | undefined): Readonly<Record<string, unknown>> {
  const { timeoutMs, note, otherwise } = waits ?? {};
  if (otherwise === undefined) return { wait_ms: timeoutMs, note };
  const { body, body_ref } = bodyColumns(otherwise.body);
  return {
    wait_ms: timeoutMs,
    note,
    default_body: body,
    default_ref: body_ref,
    default_bytes: otherwise.bodyBytes,
  };
}

function startColumns(start: Start | undefined): { start_at?: string; start_in_ms?: number } {
  if (start === undefined) return {};
  return start.kind === 'at' ? { start_at: start.at.toISOString() } : { start_in_ms: start.delayMs };
}

function bodyColumns(body: StoredBody): { body: string | null; body_ref: string | null } {
  return body.kind === 'inline'
    ? { body: body.json, body_ref: null }
    : { body: null, body_ref: body.reference };
}
