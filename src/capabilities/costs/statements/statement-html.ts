import { ratioText, usd } from '../../../kernel/money.ts';
import { addDays, addMonths, localTime } from '../../../kernel/time-zone.ts';
import { type ChartBar, barChart } from '../../../http/pages/charts.ts';
import { html, type Html } from '../../../http/pages/html.ts';
import { cards, renderPage } from '../../../http/pages/page.ts';
import type { StatementDocument, StatementSectionDocument } from './statement-document.ts';
import {
  digitsFor,
  monthName,
  shownCount,
  shownPercent,
  shownUsd,
  shownCounted,
} from '../../../http/pages/shown-numbers.ts';
import { correctionsOf, savingsOf } from './statement-additions.ts';
import { type NameOf, sectionTable, type SectionTotal } from './statement-table.ts';

/* A statement as a page. Amounts are rounded for reading; the exact total is given, and so is all that is not in it. */

const wasteCauses: Readonly<Record<string, string>> = {
  failed: 'Calls that failed',
  aborted: 'Calls that were aborted',
  duplicate: 'Answers that were there already',
  retried: 'Calls that were tried again',
  invalid_output: 'Answers of no use',
};

export function renderStatementHtml(statement: StatementDocument): string {
  const { team, month, totals, sections } = statement;
  // As many for all amounts as the larger of the two months needs.
  const digits = Math.min(digitsFor(totals.costUsd), digitsFor(totals.previous?.costUsd ?? '0'));
  const table = (heading: string, section: StatementSectionDocument, nameOf: NameOf): Html =>
    sectionTable({ heading, section, nameOf, digits, total: totals });
  return renderPage({
    title: `${team ?? 'All teams'}: cost of model calls in ${monthName(month)}`,
    kind: 'Monthly statement',
    heading: team ?? 'All teams',
    period: html`${monthName(month)}, days of the time zone ${statement.timeZone}. ${stateOf(statement)}
    Amounts are in US dollars.`,
    body: html` ${summary(statement, digits)} ${openItems(statement, digits)}
      <section class="whole">
        <h2>By day</h2>
        ${barChart('Spend by the day', daysOf(statement))}
      </section>
      ${sections.teams === undefined ? undefined : table('By team', sections.teams, ({ team: name = '' }) => name)}
      ${table('By feature', sections.features, ({ feature = '' }) => feature)}
      ${table('By model', sections.models, ({ provider = '', model = '' }) => `${provider}/${model}`)}
      ${table('By customer', sections.customers, ({ customer = '' }) => customer)}
      ${
        sections.waste.rows.length === 0
          ? html`<section>
              <h2>Waste by cause</h2>
              <p>No spend was wasted.</p>
            </section>`
          : sectionTable({
              heading: 'Waste by cause',
              section: sections.waste,
              nameOf: ({ waste = '' }) => wasteCauses[waste] ?? waste,
              digits,
              total: wasteOf(totals, sections.waste),
            })
      }
      ${correctionsOf(statement, digits)} ${savingsOf(statement, digits)}`,
    footer: html` <p>
        Computed from the price of every call. This is no invoice: taxes, and what providers bill beside
        calls, are not in it.
      </p>
      <p>
        Total, exact: ${totals.costUsd} USD. Amounts above are rounded to ${digits} digits, so that rows may
        seem to differ from totals by the last one. Waste is part of the total. Shares are of the total;
        changes are against all of ${monthName(addMonths(`${month}-01`, -1).slice(0, 7))}.
      </p>
      ${
        statement.isConsistent
          ? undefined
          : html`<p class="warning">
              Calls kept arriving while this statement was made: its tables may differ from each other.
            </p>`
      }
      <p>
        Made at ${shownTime(statement.createdAt, statement)} from the usage records of
        ${shownTime(statement.from, statement)} to ${shownTime(statement.to, statement)}, times of
        ${statement.timeZone}.
      </p>`,
  });
}

function stateOf(statement: StatementDocument): string {
  return statement.isComplete
    ? 'The month is over.'
    : `The month goes on: up to ${shownTime(statement.to, statement)}.`;
}

/** "2026-11-02 08:00", by the clocks of the statement's time zone. */
function shownTime(time: string, { timeZone }: StatementDocument): string {
  return localTime(timeZone, Date.parse(time)).slice(0, 16).replace('T', ' ');
}

/** What was wasted in all, as the last row of a table. */
function wasteOf(
  { wasteUsd, costUsd, previous }: StatementDocument['totals'],
  { rows }: StatementSectionDocument,
): SectionTotal {
  const before = previous?.wasteUsd ?? '0';
  const share = ratioText(usd(wasteUsd), usd(costUsd));
  const changeRatio = ratioText(usd(wasteUsd).minus(usd(before)), usd(before));
  return {
    costUsd: wasteUsd,
    calls: rows.reduce((sum, { calls }) => sum + calls, 0),
    previous: { costUsd: before },
    ...(share === undefined ? {} : { share }),
    ...(changeRatio === undefined ? {} : { changeRatio }),
  };
}

function summary({ totals, isComplete }: StatementDocument, digits: number): Html {
  const { previous, changeUsd = '0', changeRatio, wasteUsd, costUsd, completedMessages = 0 } = totals;
  const wasteShare = usd(costUsd).isZero() ? '0' : usd(wasteUsd).dividedBy(usd(costUsd)).toFixed(6);
  const each = totals.costPerCompletedUsd;
  return cards([
    ['Total cost', shownUsd(costUsd, digits), shownCounted(totals.calls, 'call')],
    [
      'Month before',
      shownUsd(previous?.costUsd ?? '0', digits),
      changeRatio === undefined
        ? 'no spend to compare with'
        : `${shownPercent(changeRatio, true)} (${usd(changeUsd).greaterThan(0) ? '+' : ''}${shownUsd(changeUsd, digits)})${isComplete ? '' : ' so far'}`,
    ],
    ['Waste', shownUsd(wasteUsd, digits), `${shownPercent(wasteShare)} of the total`],
    [
      'Per completed message',
      each === undefined ? '–' : shownUsd(each, digitsFor(each)),
      `${shownCount(completedMessages)} completed`,
    ],
  ]);
}

/** What the total does not say. */
function openItems({ totals }: StatementDocument, digits: number): Html {
  const { unpricedCalls, unsettledCalls, estimatedCalls, openUpperBoundUsd } = totals;
  const open = [
    ...(unsettledCalls === 0
      ? []
      : [
          html`<li>
            <b>${shownCount(unsettledCalls)}</b> calls whose outcome is not known yet. They are not in the
            total.
          </li>`,
        ]),
    ...(estimatedCalls === 0
      ? []
      : [
          html`<li>
            <b>${shownCount(estimatedCalls)}</b> calls whose usage the provider did not report. They are in
            the total as estimated.
          </li>`,
        ]),
    ...(unpricedCalls === 0
      ? []
      : [
          html`<li>
            <b>${shownCount(unpricedCalls)}</b> calls whose price is not known. They are not in the total, and
            cost more than nothing.
          </li>`,
        ]),
  ];
  if (open.length === 0) {
    return html`<section>
      <h2>What is open</h2>
      <p>Nothing: every call is settled and priced.</p>
    </section>`;
  }
  return html`<section class="open whole">
    <h2>What is open</h2>
    <ul>
      ${open}
    </ul>
    <p>
      All calls of unknown or estimated usage together can have cost at most
      <b>${shownUsd(openUpperBoundUsd, digits)}</b>.
    </p>
  </section>`;
}

/** Every day of the month: what is to come, or had no calls, cost nothing. */
function daysOf({ month, sections }: StatementDocument): ChartBar[] {
  const costs = new Map(sections.days.rows.map(({ key, costUsd }) => [key.day, costUsd]));
  const days: ChartBar[] = [];
  const first = `${month}-01`;
  for (let day = first; day < addMonths(first, 1); day = addDays(day, 1)) {
    const amountUsd = costs.get(day) ?? '0';
    const weekday = new Date(day).getUTCDay();
    days.push({
      label: String(Number(day.slice(8))),
      amountUsd,
      title: `${day}: ${amountUsd} USD`,
      isMuted: weekday === 0 || weekday === 6,
    });
  }
  return days;
}
