import type { ColumnStore } from '../../drivers/column-store/column-store.ts';
import { AppError } from '../../kernel/app-error.ts';
import type { ConcurrencyLimiter } from '../../kernel/concurrency-limiter.ts';
import { localTime } from '../../kernel/time-zone.ts';
import { type CostGroup, type CostReport, runCostQuery } from './usage-queries.ts';
import type { QueryLimits } from './query-limits.ts';
import { type CallerView, shareOf } from '../../http/api-key-identity.ts';
import type { CostParameterDefaults, CostReportRequest } from './cost-parameters.ts';
import { costFigureNames, type CostReportDocument } from './cost-report-document.ts';
import { reportValidator } from './report-validator.ts';
import { type CostQuery, fieldsWithoutCompleted } from './cost-query.ts';
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
        : { completedUnavailable: `Messages have no ${uncounted.join(', ')}: calls have.` }),
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
    const { store, limiter, limits } = this.#options;
    const filters = visibleFilters(query.filters ?? {}, viewer);
    const ask = (): Promise<CostReport> => runCostQuery(store, { ...query, filters }, limits);
    const { id } = viewer;
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
