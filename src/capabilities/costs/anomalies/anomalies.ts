import type { CallerView } from '../../../http/api-key-identity.ts';
import { formatUsd, roundedTo } from '../../../kernel/money.ts';
import { localTime } from '../../../kernel/time-zone.ts';
import { readCount } from '../cost-figures.ts';
import { type CostReports, visibleFilters } from '../cost-reports.ts';
import { type AnomalyDocument, type AnomalyRequest, wholeHour } from './anomaly-document.ts';
import type { BoundSql } from '../usage-queries.ts';
import { AnomalyQuery, type NamedHour } from './anomaly-query.ts';
import { baselineWeeks, judgeHour, type JudgedHour, minimumWeeks } from './spend-anomaly.ts';

/** Digits of amounts that are no sums, and of scores. */
const digits = 6;
const scoreDigits = 2;
const maxAnomalies = 1_000;

interface Anomaly extends JudgedHour {
  readonly hour: NamedHour;
}

/** Unusual hours of the viewer's spend. Throws as CostReports does. */
export async function findAnomalies(
  reports: CostReports,
  request: AnomalyRequest,
  { now, viewer }: { readonly now: Date; readonly viewer: CallerView },
): Promise<AnomalyDocument> {
  visibleFilters(request.filters, viewer);
  const floorUsd = reports.hourFloorUsd;
  const lag = await reports.exportLagSeconds();
  // An hour whose records are still to come looks like one with too little spend.
  const known = wholeHour(new Date(now.getTime() - (lag ?? 0) * 1000));
  const to = request.to < known ? request.to : known;
  const from = request.from < to ? request.from : to;
  const questionOf = (filters: AnomalyRequest['filters']): AnomalyQuery =>
    new AnomalyQuery({ ...request, from, to, filters, floorUsd });
  const { by, timeZone, threshold } = request;
  const rowsOf = async (
    make: (query: AnomalyQuery, database: string) => BoundSql,
  ): Promise<readonly Readonly<Record<string, unknown>>[]> =>
    // Nothing is read of hours whose records are still to come.
    from < to
      ? reports.rows((filters, database) => make(questionOf(filters), database), request.filters, viewer)
      : [];
  const [counts] = await rowsOf((query, database) => query.namesSql(database));
  const rows = await rowsOf((query, database) => query.hoursSql(database));
  const query = questionOf(request.filters);
  const { hours, isTruncated } = query.read(rows);
  const found = hours
    .flatMap((hour): Anomaly[] => {
      const judged = judgeHour(hour, { threshold, floorUsd });
      return judged === undefined ? [] : [{ hour, ...judged }];
    })
    .toSorted((left, right) => right.score.comparedTo(left.score));
  const names = readCount(counts ?? {}, 'names');
  const judgedNames = readCount(counts ?? {}, 'known_names');
  const reason = from < to ? reasonOf({ found: found.length, names, judgedNames }) : 'not_exported';
  return {
    from: from.toISOString(),
    to: to.toISOString(),
    timeZone,
    by,
    currency: 'USD',
    baseline: { weeks: baselineWeeks, minimumWeeks, threshold, floorUsd: formatUsd(floorUsd) },
    names,
    judgedNames,
    anomalies: found.slice(0, maxAnomalies).map(({ hour, direction, medianUsd, spreadUsd, score }) => ({
      name: hour.name,
      hour: localTime(timeZone, hour.hour.getTime()),
      direction,
      costUsd: formatUsd(hour.spentUsd),
      usualUsd: formatUsd(medianUsd),
      deviationUsd: formatUsd(roundedTo(spreadUsd, digits)),
      score: formatUsd(roundedTo(score, scoreDigits)),
      weeks: hour.pastUsd.length,
    })),
    ...(reason === undefined ? {} : { reason }),
    truncated: isTruncated || found.length > maxAnomalies,
    source: query.source,
    ...(lag === undefined ? {} : { exportLagSeconds: lag }),
  };
}

function reasonOf({
  found,
  names,
  judgedNames,
}: {
  readonly found: number;
  readonly names: number;
  readonly judgedNames: number;
}): AnomalyDocument['reason'] {
  if (found > 0) return undefined;
  if (names === 0) return 'no_records';
  return judgedNames === 0 ? 'too_little_history' : 'nothing_unusual';
}
