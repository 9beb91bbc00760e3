import type { Uuid } from '../../kernel/ids.ts';
import type { Origin } from '../../messages/origin.ts';
import { integerOf, textOf, timeOf } from './row-text.ts';

/** The row about one message that ended, as ClickHouse keeps it. Durations are whole milliseconds. */
export interface MessageOutcome {
  readonly messageId: Uuid;
  readonly rootId: Uuid;
  /** When it ended. */
  readonly endedAt: Date;
  readonly origin: Origin;
  readonly pipeline: string;
  readonly stage: string;
  /** The team that owns the stage. */
  readonly owner: string;
  readonly item?: string;
  readonly outcome: 'completed' | 'dead_lettered' | 'cancelled';
  readonly errorCode?: string;
  /** Times the handler ran. */
  readonly attempts: number;
  /** Times the message was leased. */
  readonly deliveries: number;
  /** The last run of the handler. */
  readonly durationMs: number;
  /** From ready to the first lease. */
  readonly waitMs: number;
  /** From admission of the message to its end. */
  readonly ageMs: number;
  readonly traceId?: string;
}

const maxUInt16 = 65_535;
const maxUInt32 = 4_294_967_295;

/**
 * The outcome as a line of JSONEachRow for the table `message_outcomes`, without a newline and without the export
 * batch, which the exporter puts first (bindLines).
 */
export function renderOutcomeLine(record: MessageOutcome): string {
  const { origin } = record;
  let line =
    `{"message_id":"${record.messageId}","root_id":"${record.rootId}","ts":${timeOf(record.endedAt)}` +
    `,"team":${textOf(origin.team)},"customer":${textOf(origin.customer)},"feature":${textOf(origin.feature)}` +
    `,"pipeline":${textOf(record.pipeline)},"stage":${textOf(record.stage)},"owner":${textOf(record.owner)}` +
    `,"outcome":"${record.outcome}","attempts":${integerOf('attempts', record.attempts, 0, maxUInt16)}` +
    `,"deliveries":${integerOf('deliveries', record.deliveries, 0, maxUInt16)}` +
    `,"duration_ms":${integerOf('durationMs', record.durationMs, 0, maxUInt32)}` +
    `,"wait_ms":${integerOf('waitMs', record.waitMs, 0, Number.MAX_SAFE_INTEGER)}` +
    `,"age_ms":${integerOf('ageMs', record.ageMs, 0, Number.MAX_SAFE_INTEGER)}`;
  if (origin.batch !== undefined) line += `,"batch":${textOf(origin.batch)}`;
  if (record.item !== undefined) line += `,"item":${textOf(record.item)}`;
  if (record.errorCode !== undefined) line += `,"error_code":${textOf(record.errorCode)}`;
  if (record.traceId !== undefined) line += `,"trace_id":${textOf(record.traceId)}`;
  return `${line}}`;
}
