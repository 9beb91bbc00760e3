import { createHash } from 'node:crypto';
import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { completeWait, findByToken, issueToken, listEventWaits } from './event-wait-sql.ts';
import type { StoredBody } from './stored-message.ts';

/** What is known of the wait that a token is for. */
export interface TokenWait {
  readonly id: Uuid;
  /** Undefined while the handler that gave the token out has not ended, or where it never did. */
  readonly message:
    | {
        readonly team: string;
        readonly stage: string;
        readonly type: string;
        readonly version: number;
        readonly isOpen: boolean;
      }
    | undefined;
  readonly endedBy: 'completed' | 'expired' | undefined;
}

/** The data of a wait, as it is written. */
export interface WaitCompletion {
  readonly id: Uuid;
  readonly body: StoredBody;
  readonly bodyBytes: number;
  readonly lane: string;
  readonly orderKey: string | undefined;
  readonly actor: string;
  readonly auditId: Uuid;
  readonly reason: string;
}

/** A message that waits for an outside event. */
export interface OpenEventWait {
  readonly id: Uuid;
  readonly rootId: Uuid;
  readonly pipeline: string;
  readonly stage: string;
  readonly type: string;
  readonly version: number;
  readonly team: string;
  readonly customer: string;
  readonly feature: string;
  readonly note: string | undefined;
  readonly hasDefault: boolean;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

interface TokenRow {
  readonly wait_id: Uuid;
  readonly team: string | null;
  readonly stage: string;
  readonly type: string;
  readonly version: number;
  readonly ended_by: 'completed' | 'expired' | null;
  readonly is_open: boolean | null;
}

interface OpenRow {
  readonly id: Uuid;
  readonly root_id: Uuid;
  readonly pipeline: string;
  readonly stage: string;
  readonly type: string;
  readonly version: number;
  readonly team: string;
  readonly customer: string;
  readonly feature: string;
  readonly created_at: Date;
  readonly note: string | null;
  readonly expires_at: Date;
  readonly has_default: boolean;
}

const beginning: Uuid = '00000000-0000-0000-0000-000000000000';

/** Waits for outside events in the ledger. Of a token only its digest is kept: it cannot be guessed, so that this needs no salt. */
export class EventWaits {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** Makes the token good for the wait, before anybody is told of it. */
  async issue(token: string, waitId: Uuid): Promise<void> {
    await this.#database.query(issueToken, [digestOf(token), waitId]);
  }

  /** With a team only that one's. */
  async find(token: string, team: string | undefined): Promise<TokenWait | undefined> {
    const { rows } = await this.#database.query<TokenRow>(findByToken, [digestOf(token), team]);
    return rows.map(({ wait_id: id, team: owner, stage, type, version, ended_by, is_open }) => ({
      id,
      message: owner === null ? undefined : { team: owner, stage, type, version, isOpen: is_open === true },
      endedBy: ended_by ?? undefined,
    }))[0];
  }

  /** Gives the message its data. Undefined: it does not wait any more. */
  async complete(completion: WaitCompletion): Promise<{ readonly stage: string } | undefined> {
    const { id, body, bodyBytes, lane, orderKey, actor, auditId, reason } = completion;
    const { rows } = await this.#database.query<{ stage: string }>(completeWait, [
      id,
      body.kind === 'inline' ? body.json : null,
      body.kind === 'inline' ? null : body.reference,
      bodyBytes,
      lane,
      orderKey,
      actor,
      auditId,
      reason,
    ]);
    return rows[0];
  }

  /** Those that wait, the oldest first. */
  async list(
    team: string | undefined,
    after: Uuid | undefined,
    limit: number,
  ): Promise<readonly OpenEventWait[]> {
    const { rows } = await this.#database.query<OpenRow>(listEventWaits, [team, after ?? beginning, limit]);
    return rows.map((row) => ({
      id: row.id,
      rootId: row.root_id,
      pipeline: row.pipeline,
      stage: row.stage,
      type: row.type,
      version: row.version,
      team: row.team,
      customer: row.customer,
      feature: row.feature,
      note: row.note ?? undefined,
      hasDefault: row.has_default,
      createdAt: row.created_at,
      expiresAt: row.expires_at,
    }));
  }
}

function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
