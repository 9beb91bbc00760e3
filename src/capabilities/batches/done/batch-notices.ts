import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import { type Clock, within } from '../../../kernel/clock.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import type { Logger } from '../../../telemetry/logger.ts';
import type { BatchMetrics } from '../batch-metrics.ts';
import * as sql from './notices-sql.ts';
import { signedRequest } from './webhook-request.ts';
import { type Webhook, webhookOf, type WebhooksSettings } from './webhook-settings.ts';

/*
 * Tells webhooks of the ends and halts of batches, in the process that has the maintenance role. A notice is in the ledger with the change of
 * state that it tells of. Each attempt is counted before its request leaves and marked after it was taken, so a process that dies in between
 * sends it again, under the same id: at least once, and a receiver that remembers ids sees it once.
 */

/** Some three hours. */
const maxAttempts = 12;
const firstPauseSeconds = 5;
const longestPauseSeconds = 3600;
const requestsAtOnce = 10;
const requestTimeoutMs = 10_000;

export interface BatchNoticesOptions {
  readonly database: SqlDatabase;
  readonly settings: WebhooksSettings;
  readonly metrics: BatchMetrics;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Notice {
  readonly id: Uuid;
  readonly batch_id: Uuid;
  readonly webhook: string;
  readonly body: string;
  readonly attempts: number;
  readonly team: string;
}

export class BatchNotices {
  readonly #options: BatchNoticesOptions;

  constructor(options: BatchNoticesOptions) {
    this.#options = options;
  }

  /** One turn; true when there is more to do at once. */
  async turn(signal: AbortSignal): Promise<boolean> {
    const { database } = this.#options;
    await this.#giveUp();
    const { rows } = await database.query<Notice>(sql.claimNotices, [
      requestsAtOnce,
      maxAttempts,
      firstPauseSeconds,
      longestPauseSeconds,
    ]);
    await Promise.all(rows.map((notice) => this.#send(notice, signal)));
    return rows.length === requestsAtOnce;
  }

  /** Shows what waits, when somebody scrapes. */
  async showGauges(): Promise<void> {
    const { database, metrics } = this.#options;
    const { rows } = await database.query<{ readonly waiting: number; readonly oldest_seconds: number }>(
      sql.countNotices,
    );
    metrics.set('batch_notices_waiting', {}, rows[0]?.waiting ?? 0);
    metrics.set('batch_notice_oldest_waiting_seconds', {}, rows[0]?.oldest_seconds ?? 0);
  }

  async #giveUp(): Promise<void> {
    const { database, metrics, logger } = this.#options;
    const { rows } = await database.query<
      Pick<Notice, 'id' | 'batch_id' | 'webhook'> & { readonly last_error: string | null }
    >(sql.giveUpNotices, [maxAttempts]);
    for (const { id, batch_id: batch, webhook, last_error: error } of rows) {
      metrics.increment('batch_notices_total', { result: 'given_up' });
      logger.error({ notice: id, batch, webhook, error }, 'a notice of a batch is given up on');
    }
  }

  async #send(notice: Notice, stopping: AbortSignal): Promise<void> {
    const { database, settings, metrics, clock, logger } = this.#options;
    const { id, batch_id: batch, webhook: name, attempts, team } = notice;
    const webhook = webhookOf(settings, name, team);
    const problem =
      webhook === undefined
        ? 'no webhook of this name is configured for the team'
        : await post(webhook, notice, { clock, stopping });
    if (problem === undefined) {
      metrics.increment('batch_notices_total', { result: 'delivered' });
      await database.query(sql.markDelivered, [id]);
      return;
    }
    // What the stop of the host cut off is sent again; whether it was taken is not known.
    if (stopping.aborted) return;
    metrics.increment('batch_notices_total', { result: 'failed' });
    logger.warn({ notice: id, batch, webhook: name, attempts, problem }, 'a notice of a batch was not taken');
    await database.query(sql.noteFailure, [id, problem]);
  }
}

/** Why it was not taken; undefined where it was. A redirect is not followed: it would lead to an address that nobody configured. */
async function post(
  { url, secret }: Webhook,
  notice: Notice,
  { clock, stopping }: { readonly clock: Clock; readonly stopping: AbortSignal },
): Promise<string | undefined> {
  const late = new AbortController();
  const { headers, body } = signedRequest(notice, secret.bytes, clock.now());
  const signal = AbortSignal.any([stopping, late.signal]);
  const send = async (): Promise<string | undefined> => {
    const response = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'manual' });
    await response.body?.cancel();
    return response.ok ? undefined : `it answers with HTTP ${response.status}`;
  };
  try {
    return await within(
      clock,
      requestTimeoutMs,
      send(),
      () => new Error(`no answer within ${requestTimeoutMs} ms`),
    );
  } catch (error) {
    return problemOf(error);
  } finally {
    late.abort();
  }
}

/** Without the address, which may have a credential in it. */
function problemOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (typeof code === 'string') return `it cannot be reached: ${code}`;
  return cause instanceof Error
    ? cause.message.slice(0, 200).toWellFormed().replaceAll('\u0000', '\uFFFD')
    : 'unknown';
}
