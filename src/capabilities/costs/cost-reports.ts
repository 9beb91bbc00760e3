import type { ColumnStore } from '../../drivers/column-store/column-store.ts';
import { AppError } from '../../kernel/app-error.ts';
import type { ConcurrencyLimiter } from '../../kernel/concurrency-limiter.ts';
import { type Usd, usd } from '../../kernel/money.ts';
import { localTime } from '../../kernel/time-zone.ts';
import { type BoundSql, type CostGroup, type CostReport, runCostQuery } from './usage-queries.ts';
import { type QueryLimits, queryWithin } from './query-limits.ts';
import { type CallerView, shareOf } from '../../http/api-key-identity.ts';
import type { CostParameterDefaults, CostReportRequest } from './cost-parameters.ts';
import { costFigureNames, type CostReportDocument } from './cost-report-document.ts';
import { reportValidator } from './report-validator.ts';
import { type CostFilters, type CostQuery, fieldsWithoutCompleted } from './cost-query.ts';
import type { FindPrice } from '../../pricing/saved-amounts.ts';
import { previousPeriod } from './previous-period.ts';
import { groupFigures, periodFigures } from './reported-figures.ts';

export interface CostReportsOptions {
  readonly store: ColumnStore;
  /** The age of the oldest usage record that is not in the store yet, in seconds. Absent: reports do not tell. */
  readonly exportLagSeconds?: () => Promise<number>;
  /** Absent: as many at once as are asked for. */
  readonly limiter?: Pick<ConcurrencyLimiter, 'run'>;
  /** What one report may take of the store. Absent: as much as it takes. */
  readonly limits?: QueryLimits;
  /** Of questions that name none. Absent: UTC. */
  readonly timeZone?: string;
  /** The least difference in an hour that can be unusual, in decimal dollars. Absent: a dollar. */
  readonly hourFloorUsd?: string;
  /** The prices in force by a question. Absent: none is known, and no saving. */
  readonly findPrice?: FindPrice;
}

/** Cost reports over the usage records. */
export class CostReports {
  readonly #options: CostReportsOptions;

  constructor(options: CostReportsOptions) {
    this.#options = options;
  }

  /** What holds where a question says nothing of it. */
  get defaults(): CostParameterDefaults {
    return { timeZone: this.#options.timeZone ?? 'UTC' };
  }

  /** The prices in force by a question. */
  get findPrice(): FindPrice {
    return this.#options.findPrice ?? (() => undefined);
  }

  /** The least difference in an hour that can be unusual. */
  get hourFloorUsd(): Usd {
    return usd(this.#options.hourFloorUsd ?? '1');
  }

  /**
   * Answers the request for the viewer. Groups and totals come from one statement and add up exactly. Throws
   * MILLRACE_FORBIDDEN when a viewer bound to a team asks for another, MILLRACE_REPORT_TOO_LARGE when the report takes more
   * than one may, MILLRACE_OVERLOADED or MILLRACE_RATE_LIMITED when too many are made, and the column store's failures.
   */
  async report(request: CostReportRequest, viewer: CallerView): Promise<CostReportDocument> {
    const { from, to, groupBy, timeZone = 'UTC' } = request;
    // Measured first: what is exported in between makes the report fresher than it says, never staler.
    const lag = await this.#options.exportLagSeconds?.();
    const previous = request.isCompared === true ? previousPeriod({ from, to }, timeZone) : undefined;
    const uncounted = request.hasCompleted === true ? fieldsWithoutCompleted(request) : [];
    const report = await this.query(
      {
        ...request,
        ...(previous === undefined ? {} : { previous }),
        hasCompleted: request.hasCompleted === true && uncounted.length === 0,
      },
      viewer,
    );
    return {
      from: from.toISOString(),
      to: to.toISOString(),
      timeZone,
      groupBy: [...groupBy],
      currency: 'USD',
      groups: report.groups.map((group) => ({
        key: keyOf(group, timeZone),
        ...groupFigures(group, report.total.costUsd),
      })),
      totals: periodFigures(report.total),
      ...(previous === undefined
        ? {}
        : {
            previous: {
              from: previous.from.toISOString(),
              to: previous.to.toISOString(),
              unit: previous.unit,
            },
          }),
      ...(uncounted.length === 0
        ? {}
        : {
            completedUnavailable: `Records of completed messages have no ${uncounted.join(', ')}: those of calls have.`,
          }),
      truncated: report.isTruncated,
      messageCount: report.messages,
      source: report.source,
      ...(lag === undefined ? {} : { exportLagSeconds: lag }),
    };
  }

  /**
   * The weak entity tag of the report, without making it; undefined while its period is not over. Throws MILLRACE_FORBIDDEN as
   * `report` does, and the column store's failures.
   */
  async validator(request: CostReportRequest, viewer: CallerView): Promise<string | undefined> {
    if (request.isClosed !== true) return undefined;
    const { from, to, timeZone = 'UTC' } = request;
    const filters = visibleFilters(request.filters, viewer);
    const first = request.isCompared === true ? previousPeriod({ from, to }, timeZone).from : from;
    const question = [{ ...request, filters }, costFigureNames];
    return reportValidator(this.#options.store, { from: first, to }, question);
  }

  /** Asks for the viewer, as one of the reports at once. Throws as `report` does. */
  async query(query: CostQuery, viewer: CallerView): Promise<CostReport> {
    const { store, limits } = this.#options;
    const filters = visibleFilters(query.filters ?? {}, viewer);
    return this.#run(() => runCostQuery(store, { ...query, filters }, limits), viewer);
  }

  /**
   * The rows of another statement than that of a report, as one of the reports at once. It is made with the filters that the viewer
   * may have. Throws as `report` does.
   */
  async rows(
    make: (filters: CostFilters, database: string) => BoundSql,
    filters: CostFilters,
    viewer: CallerView,
  ): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const { store, limits } = this.#options;
    const statement = make(visibleFilters(filters, viewer), store.database);
    return this.#run(
      () =>
        limits === undefined
          ? store.query<Record<string, unknown>>(statement.sql, statement.parameters)
          : queryWithin<Record<string, unknown>>(store, statement, limits),
      viewer,
    );
  }

  /** How far what is read may be behind; undefined where nobody can tell. */
  async exportLagSeconds(): Promise<number | undefined> {
    return this.#options.exportLagSeconds?.();
  }

  async #run<Answer>(ask: () => Promise<Answer>, { id }: CallerView): Promise<Answer> {
    const { limiter } = this.#options;
    return limiter === undefined ? ask() : limiter.run(ask, id === undefined ? undefined : shareOf({ id }));
  }
}

/** The filters with the viewer's team among them. Throws MILLRACE_FORBIDDEN when they name another. */
export function visibleFilters(
  filters: CostReportRequest['filters'],
  { team }: CallerView,
): CostReportRequest['filters'] {
  if (team === undefined) return filters;
  if (filters.team?.some((wanted) => wanted !== team) === true) {
    throw new AppError('MILLRACE_FORBIDDEN', `This API key shows the costs of the team "${team}" only.`);
  }
  return { ...filters, team: [team] };
}

function keyOf({ group }: CostGroup, timeZone: string): CostReportDocument['groups'][number]['key'] {
  if (group.hour === undefined) return group;
  // ClickHouse's time of an hour is in UTC.
  return { ...group, hour: localTime(timeZone, Date.parse(`${group.hour.replace(' ', 'T')}Z`)) };
}
