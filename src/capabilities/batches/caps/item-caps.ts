import { jsonRow, jsonRows } from '../../../drivers/sql-database/json-rows.ts';
import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import { estimateInputTokens } from '../../../engine/providers/input-estimate.ts';
import { AppError } from '../../../kernel/app-error.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import { batchErrors } from '../batch-errors.ts';
import type { AppliedCaps, CapSettings } from './cap-settings.ts';
import * as sql from './cap-sql.ts';
import { truncateMember } from './truncate-member.ts';

/** Which upload of which batch writes. */
interface UploadToken {
  readonly batch: Uuid;
  readonly upload: Uuid;
}

/** What a rule did to an upload's items. */
export interface CapOutcome {
  readonly caps: AppliedCaps;
  /** Items that were left out. */
  readonly skipped: number;
  /** What the items that can be run have less than before. */
  readonly tokens: number;
  readonly bytes: number;
}

interface LargeItem {
  readonly position: number;
  readonly tokens: number;
  readonly data: string;
  readonly data_bytes: number;
}

/** Items of one statement; of those whose data is read, with as many bytes as messages may have. */
const pageItems = 100;

/**
 * Applies the rule of a batch for items that are larger than others. It is applied when all items have come in, since a percentile is known only
 * then, and before the upload is complete: until then the batch cannot be started, and an upload that dies here is sent again as a whole.
 * Items that are to fail stay as they are: they fail when their chunk is begun (`refuseLarge`), so that they count as other failures do.
 */
export class ItemCaps {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** `check` throws for data that is not of its type any more. */
  async apply(
    token: UploadToken,
    settings: CapSettings,
    check: (data: unknown) => unknown,
  ): Promise<CapOutcome> {
    const boundTokens = settings.inputTokens ?? (await this.#percentile(token, settings.percentile ?? 100));
    const above = await this.#sumAbove(token, boundTokens);
    const done = { skipped: 0, tokens: 0, bytes: 0 };
    for (let after = 0; settings.action !== 'fail';) {
      const items = await this.#readAbove(token, boundTokens, after);
      const last = items.at(-1);
      if (last === undefined) break;
      after = last.position;
      const part = await this.#page(token, items, { settings, boundTokens, check });
      done.skipped += part.skipped;
      done.tokens += part.tokens;
      done.bytes += part.bytes;
    }
    const tokensAfter = settings.action === 'fail' ? 0 : above.tokens - done.tokens;
    return { caps: { boundTokens, items: above.items, tokensBefore: above.tokens, tokensAfter }, ...done };
  }

  async #page(
    token: UploadToken,
    items: readonly LargeItem[],
    {
      settings: { action, member = '' },
      boundTokens,
      check,
    }: {
      readonly settings: CapSettings;
      readonly boundTokens: number;
      readonly check: (data: unknown) => unknown;
    },
  ): Promise<Omit<CapOutcome, 'caps'>> {
    const cut: {
      readonly position: number;
      readonly data: string;
      readonly data_bytes: number;
      tokens: number;
    }[] = [];
    const out: { readonly position: number; readonly why: string }[] = [];
    const less = { tokens: 0, bytes: 0 };
    for (const { position, tokens, data, data_bytes: bytes } of items) {
      const made =
        action === 'truncate'
          ? truncated(JSON.parse(data) as unknown, member, boundTokens, check)
          : { problem: tooLarge(tokens, boundTokens) };
      if ('problem' in made) {
        out.push({ position, why: made.problem });
        less.tokens += tokens;
        less.bytes += bytes;
      } else {
        const row = {
          position,
          data: made.json,
          data_bytes: Buffer.byteLength(made.json),
          tokens: await estimateInputTokens('', made.json),
        };
        cut.push(row);
        less.tokens += tokens - row.tokens;
        less.bytes += bytes - row.data_bytes;
      }
    }
    const place = [token.batch, token.upload];
    if (cut.length > 0) {
      const rows = jsonRows(cut.map((row) => jsonRow('capped items', () => row)));
      await this.#database.query(sql.writeCut, [...place, rows]);
    }
    if (out.length > 0) {
      const rows = jsonRows(out.map((row) => jsonRow('capped items', () => row)));
      const { code } = batchErrors.MILLRACE_BATCH_ITEM_TOO_LARGE;
      await this.#database.query(sql.leaveOut, [...place, rows, code]);
    }
    return { skipped: out.length, ...less };
  }

  /** Of no items there is no bound that one could exceed. */
  async #percentile({ batch }: UploadToken, percentile: number): Promise<number> {
    const { rows } = await this.#database.query<{ tokens: number | null }>(sql.readPercentile, [
      batch,
      percentile,
    ]);
    return rows[0]?.tokens ?? 0;
  }

  async #sumAbove(
    { batch }: UploadToken,
    boundTokens: number,
  ): Promise<{ readonly items: number; readonly tokens: number }> {
    const { rows } = await this.#database.query<{ items: number; tokens: string }>(sql.sumAbove, [
      batch,
      boundTokens,
    ]);
    return { items: rows[0]?.items ?? 0, tokens: Number(rows[0]?.tokens ?? '0') };
  }

  async #readAbove(
    { batch, upload }: UploadToken,
    boundTokens: number,
    after: number,
  ): Promise<readonly LargeItem[]> {
    const place = [batch, upload, boundTokens, after, pageItems];
    return (await this.#database.query<LargeItem>(sql.readAbove, place)).rows;
  }
}

/** Throws MILLRACE_BATCH_ITEM_TOO_LARGE for an item that its batch has fail for its size. */
export function refuseLarge(
  settings: CapSettings | undefined,
  caps: AppliedCaps | undefined,
  tokens: number,
): void {
  if (settings?.action !== 'fail' || caps === undefined || tokens <= caps.boundTokens) return;
  throw new AppError(batchErrors.MILLRACE_BATCH_ITEM_TOO_LARGE, tooLarge(tokens, caps.boundTokens));
}

function tooLarge(tokens: number, boundTokens: number): string {
  return `The item has about ${tokens} tokens, more than the ${boundTokens} that its batch allows.`;
}

function truncated(
  data: unknown,
  member: string,
  boundTokens: number,
  check: (data: unknown) => unknown,
): { readonly json: string } | { readonly problem: string } {
  const made = truncateMember(data, member, boundTokens);
  if (made.kind === 'impossible') return { problem: `The item cannot be cut: ${made.problem}.` };
  try {
    check(made.data);
    return { json: made.json };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { problem: `The item is not valid any more when it is cut: ${error.message}` };
  }
}
