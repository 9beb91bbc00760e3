import { hash } from 'node:crypto';
import { type JsonRow, jsonRow, placedJsonRows } from '../../../drivers/sql-database/json-rows.ts';
import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import type { DeferredWait } from '../../../engine/calls/call-deferral.ts';
import type { CallSharing, SharedCourse, ShareableRequest } from '../../../engine/calls/call-sharing.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { GroupCommit } from '../../../kernel/group-commit.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import { invariant } from '../../../kernel/invariant.ts';
import type { BatchModes, ModedBatch } from '../mode/batch-modes.ts';
import * as sql from './shared-answer-sql.ts';

/** Why messages wait, and what the names begin with of what they wait for. */
export const sharedParkReason = 'shared_answer';
export const sharedWaitPrefix = `${sharedParkReason}:`;

export interface SharedAnswersOptions {
  readonly database: SqlDatabase;
  readonly modes: Pick<BatchModes, 'find'>;
  readonly clock: Clock;
}

/** The question that a request asks, within its batch. */
interface Question {
  readonly batchId: Uuid;
  readonly fingerprint: string;
}

interface Asked {
  readonly batchId: Uuid;
  readonly fingerprint: string;
  readonly messageId: Uuid;
  readonly row: JsonRow;
}

type Outcome =
  | { readonly course: 'own' | 'awaited' }
  | {
      readonly course: 'answered';
      readonly callId: Uuid;
      readonly answer: { readonly json: string } | { readonly reference: string };
    };

/** Identical requests of a batch's items, each answered once, where the batch asks for it. See shared-answer-sql.ts. */
export class SharedAnswers implements CallSharing {
  readonly #options: SharedAnswersOptions;
  readonly #asks: GroupCommit<Asked, Outcome>;

  constructor(options: SharedAnswersOptions) {
    this.#options = options;
    this.#asks = new GroupCommit({
      name: 'share answers',
      clock: options.clock,
      maxGroup: 200,
      flush: (asked) => this.#ask(asked),
    });
  }

  async courseOf(request: ShareableRequest): Promise<SharedCourse> {
    const batch = await this.#options.modes.find(request.rootId);
    if (batch === undefined || batch.share === 'none') return { kind: 'own' };
    const { messageId, step, ordinal, digest } = request;
    const fingerprint = fingerprintOf(batch, request);
    const outcome = await this.#asks.submit({
      batchId: batch.id,
      fingerprint,
      messageId,
      row: jsonRow('share answers', () => ({
        batch_id: batch.id,
        fingerprint,
        message_id: messageId,
        step,
        ordinal,
        request_digest: digest,
      })),
    });
    switch (outcome.course) {
      case 'own':
        return { kind: 'own' };
      case 'awaited':
        return { kind: 'awaited', wait: waitFor(batch.id) };
      case 'answered': {
        const { callId, answer } = outcome;
        const reject = (): Promise<void> => this.#reject({ batchId: batch.id, fingerprint }, messageId);
        return { kind: 'answered', callId, answer, reject };
      }
    }
  }

  async #ask(asked: readonly Asked[]): Promise<readonly Outcome[]> {
    const { database } = this.#options;
    const outcomes = new Map<Asked, Outcome>();
    const first = await database.query<FirstRow>(sql.askFirst, [placedJsonRows(asked.map(({ row }) => row))]);
    const leaders = new Set(first.rows.map((row) => keyOf(row.batch_id, row.fingerprint, row.message_id)));
    for (const one of asked) {
      const isFirst = leaders.delete(keyOf(one.batchId, one.fingerprint, one.messageId));
      if (isFirst) outcomes.set(one, { course: 'own' });
    }
    const rest = asked.filter((one) => !outcomes.has(one));
    if (rest.length > 0) {
      const told = placedJsonRows(rest.map(({ row }) => row));
      const { rows } = await database.query<AskedRow>(sql.askAgain, [told]);
      for (const row of rows) {
        const one = rest.at(row.place);
        if (one !== undefined) outcomes.set(one, outcomeOf(row));
      }
    }
    return asked.map((one) => {
      const outcome = outcomes.get(one);
      invariant(outcome !== undefined, 'each request that was asked is answered');
      return outcome;
    });
  }

  async #reject({ batchId, fingerprint }: Question, messageId: Uuid): Promise<void> {
    await this.#options.database.query(sql.rejectAnswer, [batchId, fingerprint, messageId]);
  }
}

interface FirstRow {
  readonly batch_id: Uuid;
  readonly fingerprint: string;
  readonly message_id: Uuid;
}

interface AskedRow {
  readonly place: number;
  readonly course: Outcome['course'];
  readonly call_id: Uuid | null;
  readonly answer: string | null;
  readonly answer_ref: string | null;
}

function outcomeOf({ course, call_id: callId, answer, answer_ref: reference }: AskedRow): Outcome {
  if (course !== 'answered') return { course };
  invariant(callId !== null, 'what is answered is so by a call');
  if (reference !== null) return { course, callId, answer: { reference } };
  invariant(answer !== null, 'a call that answers has its answer');
  return { course, callId, answer: { json: answer } };
}

/** What is asked how often in one run, and among whom it is shared: never across teams, which single items may name. */
function fingerprintOf({ share }: ModedBatch, { fingerprint, occurrence, origin }: ShareableRequest): string {
  const among = share === 'customer' ? [origin.team, origin.customer] : [origin.team];
  return hash('sha256', JSON.stringify([fingerprint, occurrence, ...among]));
}

function keyOf(...parts: readonly string[]): string {
  return parts.join('/');
}

/** One name for a whole batch: what messages wait for is looked through by its names. */
function waitFor(id: Uuid): DeferredWait {
  return { reason: sharedParkReason, about: id, parkedFor: `${sharedWaitPrefix}${id}` };
}
