import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import { named } from '../../../drivers/sql-database/sql-statement.ts';
import type { Operator, Viewer } from '../../../http/operator.ts';
import { AppError } from '../../../kernel/app-error.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { isUuid, type Uuid } from '../../../kernel/ids.ts';
import { batchErrors } from '../batch-errors.ts';
import { ProviderBatchDriver } from '../provider/provider-batch-driver.ts';
import {
  openProviderBatchStates,
  type ProviderBatchState,
  providerBatchStates,
  type UnresolvedReason,
} from '../provider/provider-batch-state.ts';
import type { ResultFindings } from '../provider/result-findings.ts';
import type {
  ListedStates,
  ProviderBatchDocument,
  ProviderBatchList,
  ProviderBatchPage,
  ResolveRequest,
} from './provider-batch-documents.ts';

/** $1 the team that the viewer is bound to, or null; $2 a batch, or null for all. */
const seen = `from millrace.provider_batches p
   left join millrace.provider_batch_owners o on o.provider_batch = p.id left join millrace.batches b on b.id = o.batch_id
   where ($1::text is null or b.team = $1::text) and ($2::uuid is null or p.id = $2::uuid)`;

const columns = `p.id, p.account, p.model, p.state, p.unresolved, p.provider_id, p.requests, p.findings, p.last_error, p.hindered_since, p.planned_at, p.created_at,
     p.next_at, p.cancel_requested_at, p.closed_at, b.team, b.name, (extract(epoch from p.planned_at) * 1000000)::bigint::text as planned_us`;

/** $3 the states, $4 and $5 after which place (microseconds and id) or null, $6 how many. */
const listProviderBatches = named(
  'provider-batches.list',
  `select ${columns} ${seen} and p.state = any($3::text[])
     and ($4::bigint is null or (p.planned_at, p.id) < (timestamptz 'epoch' + $4::bigint * interval '1 microsecond', $5::uuid))
   order by p.planned_at desc, p.id desc limit $6::int`,
);

const showProviderBatch = named('provider-batches.show', `select ${columns} ${seen}`);

interface ListedRow {
  readonly id: Uuid;
  readonly account: string;
  readonly model: string;
  readonly state: ProviderBatchState;
  readonly unresolved: UnresolvedReason | null;
  readonly provider_id: string | null;
  readonly requests: number;
  readonly findings: string | null;
  readonly last_error: string | null;
  readonly hindered_since: Date | null;
  readonly planned_at: Date;
  readonly created_at: Date | null;
  readonly next_at: Date;
  readonly cancel_requested_at: Date | null;
  readonly closed_at: Date | null;
  readonly team: string | null;
  readonly name: string | null;
  readonly planned_us: string;
}

const statesOf: Readonly<Record<ListedStates, readonly ProviderBatchState[]>> = {
  any: providerBatchStates,
  open: openProviderBatchStates,
  unresolved: ['unresolved'],
  closed: ['closed'],
};

/** What operators see of providers' batches, and decide about those that cannot go on by themselves. */
export class ProviderBatchOperations {
  readonly #database: SqlDatabase;
  readonly #clock: Clock;
  /** It decides, and runs nothing. */
  readonly #driver: ProviderBatchDriver;

  constructor({ database, clock }: { readonly database: SqlDatabase; readonly clock: Clock }) {
    this.#database = database;
    this.#clock = clock;
    this.#driver = new ProviderBatchDriver({
      database,
      accounts: [],
      settle: () => Promise.reject(new Error('Nothing is settled here.')),
    });
  }

  /** The newest first. A viewer who is bound to a team sees those of its batches. */
  async list({ state, limit, after }: ProviderBatchPage, { team }: Viewer): Promise<ProviderBatchList> {
    const place = [after?.plannedUs ?? null, after?.id ?? null];
    const parameters = [team ?? null, null, statesOf[state], ...place, limit + 1];
    const { rows } = await this.#database.query<ListedRow>(listProviderBatches, parameters);
    const shown = rows.slice(0, limit);
    const last = shown.at(-1);
    return {
      providerBatches: shown.map((row) => documentOf(row)),
      ...(rows.length > limit && last !== undefined ? { next: `${last.planned_us}~${last.id}` } : {}),
    };
  }

  /**
   * Goes on with a batch as the operator decides, which the audit keeps. Throws MILLRACE_NOT_FOUND without such a batch of the operator's,
   * and MILLRACE_BATCH_STATE for one that goes on by itself.
   */
  async resolve(
    id: string,
    { reason, ...request }: ResolveRequest,
    { actor, team }: Operator,
  ): Promise<ProviderBatchDocument> {
    const before = await this.#find(id, team);
    const resolution =
      request.resolution === 'take-over'
        ? { kind: request.resolution, providerId: request.providerId }
        : { kind: request.resolution };
    const by = { actor, reason, team: before.batch?.team };
    const resolved = await this.#driver.resolve(before.id, resolution, by, this.#clock.now());
    if (resolved === undefined) {
      throw new AppError(
        batchErrors.MILLRACE_BATCH_STATE,
        `The provider batch ${id} is "${before.state}" and goes on by itself; only an unresolved one is decided about, and one that is hindered can be given up.`,
      );
    }
    return await this.#find(id, team);
  }

  async #find(id: string, team: string | undefined): Promise<ProviderBatchDocument> {
    const found = isUuid(id)
      ? (await this.#database.query<ListedRow>(showProviderBatch, [team ?? null, id])).rows[0]
      : undefined;
    if (found !== undefined) return documentOf(found);
    throw new AppError('MILLRACE_NOT_FOUND', `There is no provider batch ${id}, or it is another team's.`);
  }
}

function documentOf(row: ListedRow): ProviderBatchDocument {
  const goesOn = row.state !== 'closed' && row.state !== 'unresolved';
  // Written by the driver alone.
  const findings = row.findings === null ? undefined : (JSON.parse(row.findings) as ResultFindings);
  return {
    id: row.id,
    ...(row.team === null || row.name === null ? {} : { batch: { team: row.team, name: row.name } }),
    account: row.account,
    model: row.model,
    state: row.state,
    ...(row.unresolved === null ? {} : { unresolved: row.unresolved }),
    ...(row.provider_id === null ? {} : { providerId: row.provider_id }),
    requests: row.requests,
    ...(findings === undefined ? {} : { outcomes: { ...findings.requests } }),
    ...(row.last_error === null ? {} : { lastError: row.last_error }),
    ...timeOf('hinderedSince', row.hindered_since),
    plannedAt: row.planned_at.toISOString(),
    ...timeOf('createdAt', row.created_at),
    ...timeOf('nextAt', goesOn ? row.next_at : null),
    ...timeOf('cancelRequestedAt', row.cancel_requested_at),
    ...timeOf('closedAt', row.closed_at),
  };
}

function timeOf<Name extends string>(name: Name, at: Date | null): Partial<Record<Name, string>> {
  return at === null ? {} : ({ [name]: at.toISOString() } as Record<Name, string>);
}
