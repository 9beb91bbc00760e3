import type { ColumnStore } from '../../drivers/column-store/column-store.ts';
import { AppError } from '../../kernel/app-error.ts';
import type { ConcurrencyLimiter } from '../../kernel/concurrency-limiter.ts';
import { formatUsd } from '../../kernel/money.ts';
import { localTime } from '../../kernel/time-zone.ts';
import type { CostFigures } from './cost-figures.ts';
import { type CostGroup, runCostQuery } from './usage-queries.ts';
import type { QueryLimits } from './query-limits.ts';
import { type CallerView, shareOf } from '../../http/api-key-identity.ts';
import type { CostParameterDefaults, CostReportRequest } from './cost-parameters.ts';
import type { CostFiguresDocument, CostReportDocument } from './cost-report-document.ts';

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
    const filters = visibleFilters(request.filters, viewer);
    const { limiter } = this.#options;
    const make = (): Promise<CostReportDocument> => this.#make({ ...request, filters });
    const { id } = viewer;
    return limiter === undefined ? make() : limiter.run(make, id === undefined ? undefined : shareOf({ id }));
  }

  async #make(request: CostReportRequest): Promise<CostReportDocument> {
    const { store, exportLagSeconds, limits } = this.#options;
    const { from, to, groupBy, timeZone = 'UTC' } = request;
    // Measured first: what is exported in between makes the report fresher than it says, never staler.
    const lag = await exportLagSeconds?.();
    const report = await runCostQuery(store, request, limits);
    return {
      from: from.toISOString(),
      to: to.toISOString(),
      timeZone,
      groupBy: [...groupBy],
      currency: 'USD',
      groups: report.groups.map((group) => ({ key: keyOf(group, timeZone), ...figuresOf(group) })),
      totals: figuresOf(report.total),
      truncated: report.isTruncated,
      messageCount: report.messages,
      source: report.source,
      ...(lag === undefined ? {} : { exportLagSeconds: lag }),
    };
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

function figuresOf(figures: CostFigures): CostFiguresDocument {
  return {
    costUsd: formatUsd(figures.costUsd),
    calls: figures.calls,
    ...(figures.messages === undefined ? {} : { messages: figures.messages }),
    inputTokens: countOf(figures.inputTokens),
    outputTokens: countOf(figures.outputTokens),
    wasteUsd: formatUsd(figures.wasteUsd),
    unpricedCalls: figures.unpricedCalls,
    unsettledCalls: figures.unsettledCalls,
    estimatedCalls: figures.estimatedCalls,
    suspectCalls: figures.suspectCalls,
    openUpperBoundUsd: formatUsd(figures.upperBoundUsd),
  };
}

function countOf(tokens: bigint): number | string {
  const count = Number(tokens);
  return Number.isSafeInteger(count) ? count : tokens.toString();
}
