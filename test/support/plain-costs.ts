import { formatUsd, sumUsd, type Usd, zeroUsd } from '../../src/kernel/money.ts';
import { inputTokenClasses, outputTokenClasses } from '../../src/pricing/token-classes.ts';
import type { CostFigures } from '../../src/capabilities/costs/cost-figures.ts';
import { isLabelField } from '../../src/capabilities/costs/label-fields.ts';
import type { CostGroupField, CostQuery, MessageCount } from '../../src/capabilities/costs/cost-query.ts';
import type { CostReport, PeriodFigures } from '../../src/capabilities/costs/usage-queries.ts';
import type { UsageRecord } from '../../src/engine/export/usage-record.ts';

/* A cost report by plain addition: what queries and rollups are held against. */

const hourOf = (record: UsageRecord): string =>
  `${record.sentAt.toISOString().slice(0, 13).replace('T', ' ')}:00:00`;

/** The date that a clock of the zone shows: not by the means of the product. */
const dayOf = ({ sentAt }: UsageRecord, timeZone: string): string =>
  new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' }).format(sentAt);

/** The week by ISO 8601: the one of the year's first Thursday is the first. */
function weekOf(day: string): string {
  const thursday = new Date(day);
  thursday.setUTCDate(thursday.getUTCDate() + 4 - (thursday.getUTCDay() || 7));
  const dayOfYear = (thursday.getTime() - Date.UTC(thursday.getUTCFullYear(), 0, 1)) / 86_400_000;
  return `${thursday.getUTCFullYear()}-W${String(Math.ceil((dayOfYear + 1) / 7)).padStart(2, '0')}`;
}

/** The value of a record in a field of reports, as the answer has it. */
export function fieldOf(record: UsageRecord, field: CostGroupField, timeZone = 'UTC'): string {
  if (isLabelField(field)) return record.origin.labels?.[field.slice('label:'.length)] ?? '';
  switch (field) {
    case 'team':
    case 'customer':
    case 'feature':
      return record.origin[field];
    case 'batch':
      return record.origin.batch ?? '';
    case 'waste':
      return record.wasteReason ?? '';
    case 'day':
      return dayOf(record, timeZone);
    case 'month':
      return dayOf(record, timeZone).slice(0, 7);
    case 'week':
      return weekOf(dayOf(record, timeZone));
    case 'hour':
      return hourOf(record);
    case 'pipeline':
    case 'stage':
    case 'provider':
    case 'model':
      return record[field];
    case 'via':
      return record.via ?? 'stage';
  }
}

/** The figures of some records by plain addition. */
export function figuresOf(records: readonly UsageRecord[], messages: MessageCount): CostFigures {
  const sum = (pick: (record: UsageRecord) => number): number =>
    records.reduce((total, record) => total + pick(record), 0);
  const money = (pick: (record: UsageRecord) => Usd | undefined): Usd =>
    sumUsd(records.map((record) => pick(record) ?? zeroUsd));
  const inputTokens = sum((record) =>
    inputTokenClasses.reduce((total, name) => total + (record.tokens[name] ?? 0), 0),
  );
  const cachedInputTokens = sum((record) => record.tokens.cache_read ?? 0);
  const distinct = new Set(records.flatMap((record) => record.messageId ?? []));
  return {
    costUsd: money((record) => record.costUsd),
    wasteUsd: money((record) => (record.wasteReason === undefined ? undefined : record.costUsd)),
    upperBoundUsd: money((record) => record.upperBoundUsd),
    calls: sum((record) => record.counts.calls),
    unpricedCalls: sum((record) => record.counts.unpricedCalls),
    unsettledCalls: sum((record) => record.counts.unsettledCalls),
    estimatedCalls: sum((record) => record.counts.estimatedCalls),
    suspectCalls: sum((record) => record.counts.suspectCalls),
    inputTokens: BigInt(inputTokens),
    outputTokens: BigInt(
      sum((record) => outputTokenClasses.reduce((total, name) => total + (record.tokens[name] ?? 0), 0)),
    ),
    cachedInputTokens: BigInt(cachedInputTokens),
    cachedShare: inputTokens > 0 ? cachedInputTokens / inputTokens : 0,
    ...(messages === 'none' ? {} : { messages: distinct.size }),
  };
}

/** The figures alone, amounts as text. */
export const plain = (figures: CostFigures & { readonly group?: unknown }): Record<string, unknown> => ({
  ...figures,
  group: undefined,
  costUsd: formatUsd(figures.costUsd),
  wasteUsd: formatUsd(figures.wasteUsd),
  upperBoundUsd: formatUsd(figures.upperBoundUsd),
});

/** The report that a question should get of these records: its total and its groups by their values. */
export function plainReport(
  all: readonly UsageRecord[],
  query: CostQuery,
): { readonly total: unknown; readonly groups: Readonly<Record<string, unknown>> } {
  const messages = query.messages ?? 'estimated';
  const wanted = all.filter(
    (record) =>
      (query.from === undefined || record.sentAt >= query.from) &&
      (query.to === undefined || record.sentAt < query.to) &&
      Object.entries(query.filters ?? {}).every(([field, values]) =>
        (values ?? []).includes(fieldOf(record, field as CostGroupField)),
      ),
  );
  const groups = Map.groupBy(wanted, (record) =>
    JSON.stringify(query.groupBy.map((field) => fieldOf(record, field, query.timeZone))),
  );
  return {
    total: plain(figuresOf(wanted, messages)),
    groups:
      query.groupBy.length === 0
        ? {}
        : Object.fromEntries([...groups].map(([key, rows]) => [key, plain(figuresOf(rows, messages))])),
  };
}

/** A report in the same form. */
export function plainOf(report: CostReport, { groupBy }: CostQuery): ReturnType<typeof plainReport> {
  return {
    total: plain(report.total),
    groups: Object.fromEntries(
      report.groups.map((row) => [JSON.stringify(groupBy.map((field) => row.group[field])), plain(row)]),
    ),
  };
}

/** The groups of either period with the figures of both. */
export function plainComparison(
  all: readonly UsageRecord[],
  now: CostQuery,
  before: CostQuery,
): Readonly<Record<string, unknown>> {
  const nothing = plain(figuresOf([], 'none'));
  const [current, previous] = [plainReport(all, now), plainReport(all, before)];
  const keys = [...Object.keys(current.groups), ...Object.keys(previous.groups)];
  return {
    total: [current.total, previous.total],
    ...Object.fromEntries(
      keys.map((key) => [key, [current.groups[key] ?? nothing, previous.groups[key] ?? nothing]]),
    ),
  };
}

/** A comparing report in the same form. */
export function plainPeriods(report: CostReport, { groupBy }: CostQuery): Readonly<Record<string, unknown>> {
  const both = ({ previous, ...figures }: PeriodFigures): unknown[] => [
    plain(figures),
    previous === undefined ? undefined : plain(previous),
  ];
  return {
    total: both(report.total),
    ...Object.fromEntries(
      report.groups.map((row) => [JSON.stringify(groupBy.map((field) => row.group[field])), both(row)]),
    ),
  };
}
