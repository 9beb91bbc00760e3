import type { CallerView } from '../../../http/api-key-identity.ts';
import { formatUsd, sumUsd, zeroUsd } from '../../../kernel/money.ts';
import { addMonths, startOfDay } from '../../../kernel/time-zone.ts';
import { readCount } from '../cost-figures.ts';
import type { CostGroupField, CostQuery } from '../cost-query.ts';
import type { CostReports } from '../cost-reports.ts';
import { groupFigures, periodFigures, plainFigures } from '../reported-figures.ts';
import { readSavings } from '../savings/savings.ts';
import type { SavingsDocument } from '../savings/savings-document.ts';
import type { SavingsQuestion } from '../savings/savings-query.ts';
import { type CostReport, recordsSql } from '../usage-queries.ts';
import { correctionsSql, readCorrections } from './corrections-of-months.ts';
import type {
  StatementDocument,
  StatementRequest,
  StatementSection,
  StatementSectionDocument,
} from './statement-document.ts';

/*
 * A statement is some reports of one month, each by its own fields and each adding up to its total. They are read one after
 * another; where the totals differ, because records arrived in between, all are read once more.
 */

interface SectionPlan {
  readonly groupBy: readonly CostGroupField[];
  readonly rows: number;
}

const plans: Readonly<Record<StatementSection, SectionPlan>> = {
  teams: { groupBy: ['team'], rows: 50 },
  features: { groupBy: ['feature'], rows: 50 },
  customers: { groupBy: ['customer'], rows: 50 },
  models: { groupBy: ['provider', 'model'], rows: 50 },
  waste: { groupBy: ['waste'], rows: 50 },
  days: { groupBy: ['day'], rows: 50 },
};
const maxReadings = 3;
/** Savings are read from records, which a statement of a large month has too many of. */
const maxSavingsRecords = 300_000;

/** Makes a team's statement, or that of all teams. Throws as CostReports does. */
export async function makeStatement(
  reports: CostReports,
  request: StatementRequest,
  { now, viewer }: { readonly now: Date; readonly viewer: CallerView },
): Promise<StatementDocument> {
  const { month, timeZone } = request;
  const team = request.team ?? viewer.team;
  const startOf = (day: string): Date => new Date(startOfDay(timeZone, day));
  const end = startOf(addMonths(month, 1));
  const isComplete = end <= now;
  const period = { from: startOf(month), to: isComplete ? end : now };
  const previous = { from: startOf(addMonths(month, -1)), to: period.from };
  const filters = team === undefined ? {} : { team: [team] };
  const common = { ...period, timeZone, filters };
  const { total, sections, isConsistent } = await readConsistently(
    (query) => reports.query({ ...common, ...query(previous) }, viewer),
    team === undefined,
  );
  const corrections = readCorrections(
    await reports.rows((visible, database) => correctionsSql(period, visible, database), filters, viewer),
  );
  const savings = await savingsOf(reports, { ...period, filters }, viewer);
  return {
    month: month.slice(0, 7),
    ...(team === undefined ? {} : { team }),
    timeZone,
    from: period.from.toISOString(),
    to: period.to.toISOString(),
    isComplete,
    createdAt: now.toISOString(),
    currency: 'USD',
    totals: periodFigures(total.total),
    isConsistent,
    corrections: corrections.map((correction) => ({
      month: correction.month,
      ...plainFigures(correction),
    })),
    ...(savings === undefined ? {} : { savings }),
    sections: {
      ...(sections.teams === undefined ? {} : { teams: sectionOf(sections.teams) }),
      features: sectionOf(sections.features),
      customers: sectionOf(sections.customers),
      models: sectionOf(sections.models),
      waste: wasteOf(sections.waste),
      days: sectionOf(sections.days),
    },
  };
}

/** The savings of a month that has few records enough to read them. */
async function savingsOf(
  reports: CostReports,
  question: SavingsQuestion,
  viewer: CallerView,
): Promise<SavingsDocument | undefined> {
  const [counted] = await reports.rows(
    (filters, database) => recordsSql({ ...question, filters }, database),
    question.filters,
    viewer,
  );
  return readCount(counted ?? {}, 'records') > maxSavingsRecords
    ? undefined
    : readSavings(reports, question, viewer);
}

type Previous = NonNullable<CostQuery['previous']>;
type Ask = (query: (previous: Previous) => CostQuery) => Promise<CostReport>;
interface Readings {
  readonly teams?: CostReport;
  readonly features: CostReport;
  readonly customers: CostReport;
  readonly models: CostReport;
  readonly waste: CostReport;
  readonly days: CostReport;
}

async function readConsistently(
  ask: Ask,
  isOfAllTeams: boolean,
): Promise<{ readonly total: CostReport; readonly sections: Readings; readonly isConsistent: boolean }> {
  for (let reading = 1; ; reading += 1) {
    const total = await ask((previous) => ({ groupBy: [], previous, hasCompleted: true }));
    const sections: Readings = {
      ...(isOfAllTeams ? { teams: await readSection(ask, 'teams') } : {}),
      features: await readSection(ask, 'features'),
      customers: await readSection(ask, 'customers'),
      models: await readSection(ask, 'models'),
      waste: await readSection(ask, 'waste'),
      days: await readSection(ask, 'days'),
    };
    const isConsistent = Object.values(sections).every(
      (report: CostReport) =>
        report.total.calls === total.total.calls && report.total.costUsd.equals(total.total.costUsd),
    );
    if (isConsistent || reading === maxReadings) return { total, sections, isConsistent };
  }
}

function readSection(ask: Ask, name: StatementSection): Promise<CostReport> {
  const { groupBy, rows } = plans[name];
  return ask((previous) => ({
    groupBy,
    messages: 'none',
    limit: rows,
    ...(name === 'days' ? { order: { by: 'group', direction: 'asc' } } : { previous }),
  }));
}

function sectionOf({ groups, total, isTruncated }: CostReport): StatementSectionDocument {
  const shown = sumUsd(groups.map(({ costUsd }) => costUsd));
  const shownBefore = sumUsd(groups.map(({ previous }) => previous?.costUsd ?? zeroUsd));
  return {
    rows: groups.map((group) => ({ key: group.group, ...groupFigures(group, total.costUsd) })),
    otherRows: isTruncated,
    otherUsd: formatUsd(total.costUsd.minus(shown)),
    ...(total.previous === undefined
      ? {}
      : { otherPreviousUsd: formatUsd(total.previous.costUsd.minus(shownBefore)) }),
  };
}

/** The causes of waste: what bought an answer is none. */
function wasteOf(report: CostReport): StatementSectionDocument {
  const { rows } = sectionOf(report);
  return { rows: rows.filter(({ key }) => key.waste !== ''), otherRows: report.isTruncated, otherUsd: '0' };
}
