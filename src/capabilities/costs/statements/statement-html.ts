import { createHash } from 'node:crypto';
import { usd } from '../../../kernel/money.ts';
import { addDays, addMonths } from '../../../kernel/time-zone.ts';
import { html, type Html, htmlText, trusted } from './html.ts';
import { type ChartDay, dayChart, shareBar } from './statement-chart.ts';
import type { StatementDocument, StatementSectionDocument } from './statement-document.ts';
import { digitsFor, monthName, shownCount, shownPercent, shownUsd } from './statement-numbers.ts';
import { correctionsOf, savingsOf } from './statement-additions.ts';
import { statementStyle } from './statement-style.ts';

/*
 * A statement as one HTML page for the screen and for A4: no script, nothing from elsewhere. Amounts are rounded for reading; the
 * exact total is given, and so is all that is not in it.
 */

/** What browsers may do with the page: apply its own style sheet. */
export const statementPolicy = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(statementStyle).digest('base64')}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`;

// In one piece: the policy has the digest of all that is between its tags.
const styleElement = trusted(`<style>${statementStyle}</style>`);

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
  const title = `${team ?? 'All teams'}: cost of model calls in ${monthName(month)}`;
  const table = (heading: string, section: StatementSectionDocument | undefined, nameOf: NameOf): Html =>
    sectionTable({ heading, section, nameOf, digits });
  return `<!doctype html>\n${htmlText(
    html`<html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        ${styleElement}
      </head>
      <body>
        <header>
          <p class="kind">Monthly statement</p>
          <h1><bdi>${team ?? 'All teams'}</bdi></h1>
          <p class="period">${monthName(month)}, days of ${statement.timeZone}. ${stateOf(statement)}</p>
        </header>
        ${summary(statement, digits)} ${openItems(statement, digits)}
        <section class="whole">
          <h2>By day</h2>
          ${dayChart(daysOf(statement))}
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
            : table('Waste by cause', sections.waste, ({ waste = '' }) => wasteCauses[waste] ?? waste)
        }
        ${correctionsOf(statement, digits)} ${savingsOf(statement, digits)}
        <footer>
          <p>
            Total, exact: ${totals.costUsd} USD. Amounts above are rounded to ${digits} digits, so that rows
            may seem to differ from totals by the last one. Waste is part of the total. Shares are of the
            total; changes are against all of ${monthName(addMonths(`${month}-01`, -1).slice(0, 7))}.
          </p>
          ${
            statement.isConsistent
              ? undefined
              : html`<p class="warning">
                  Calls kept arriving while this statement was made: its tables may differ from each other.
                </p>`
          }
          <p>
            Made at ${statement.createdAt} from the usage records of ${statement.from} to ${statement.to}.
          </p>
        </footer>
      </body>
    </html>`,
  )}\n`;
}

function stateOf({ isComplete, to }: StatementDocument): string {
  return isComplete
    ? 'The month is over.'
    : `The month goes on: up to ${to.slice(0, 16).replace('T', ' ')} UTC.`;
}

function summary({ totals, isComplete }: StatementDocument, digits: number): Html {
  const { previous, changeUsd = '0', changeRatio, wasteUsd, costUsd, completedMessages = 0 } = totals;
  const wasteShare = usd(costUsd).isZero() ? '0' : usd(wasteUsd).dividedBy(usd(costUsd)).toFixed(6);
  const each = totals.costPerCompletedUsd;
  const cards: readonly (readonly [string, string, string])[] = [
    ['Total cost', shownUsd(costUsd, digits), `${shownCount(totals.calls)} calls`],
    [
      'Month before',
      shownUsd(previous?.costUsd ?? '0', digits),
      changeRatio === undefined
        ? 'no spend to compare with'
        : `${shownPercent(changeRatio, true)} (${shownUsd(changeUsd, digits)})${isComplete ? '' : ' so far'}`,
    ],
    ['Waste', shownUsd(wasteUsd, digits), `${shownPercent(wasteShare)} of the total`],
    [
      'Per completed message',
      each === undefined ? '–' : shownUsd(each, digitsFor(each)),
      `${shownCount(completedMessages)} completed`,
    ],
  ];
  return html`<section class="cards">
    ${cards.map(
      ([name, value, note]) =>
        html`<div>
          <p>${name}</p>
          <strong>${value}</strong>
          <p class="note">${note}</p>
        </div>`,
    )}
  </section>`;
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

type Row = StatementSectionDocument['rows'][number];
type NameOf = (key: Row['key']) => string;

function sectionTable({
  heading,
  section,
  nameOf,
  digits,
}: {
  readonly heading: string;
  readonly section: StatementSectionDocument | undefined;
  readonly nameOf: NameOf;
  readonly digits: number;
}): Html {
  const { rows = [], otherRows = false, otherUsd = '0', otherPreviousUsd = '0' } = section ?? {};
  const name = heading.replace(/^(?:By |Waste by )(.)/, (_, first: string) => first.toUpperCase());
  const others = html`<tr>
    <td>All others</td>
    <td class="number">${shownUsd(otherUsd, digits)}</td>
    <td></td>
    <td class="bars"></td>
    <td class="number">${shownUsd(otherPreviousUsd, digits)}</td>
    <td></td>
    <td></td>
  </tr>`;
  return html`<section>
    <h2>${heading}</h2>
    <table>
      <thead>
        <tr>
          <th>${name}</th>
          <th class="number amount">Cost</th>
          <th class="number ratio">Share</th>
          <th class="bars"></th>
          <th class="number amount">Month before</th>
          <th class="number ratio">Change</th>
          <th class="number count">Calls</th>
        </tr>
      </thead>
      <tbody>
        ${rows.map((row) => rowOf(row, nameOf(row.key), digits))}${otherRows ? others : undefined}
      </tbody>
    </table>
  </section>`;
}

function rowOf(row: Row, name: string, digits: number): Html {
  const { costUsd, share, previous, changeRatio, calls, unpricedCalls } = row;
  const unpriced = unpricedCalls === 0 ? undefined : html` <i>${shownCount(unpricedCalls)} unpriced</i>`;
  return html`<tr>
    <td><bdi>${name === '' ? '(none)' : name}</bdi>${unpriced}</td>
    <td class="number">${shownUsd(costUsd, digits)}</td>
    <td class="number">${share === undefined ? '' : shownPercent(share)}</td>
    <td class="bars">${shareBar(share)}</td>
    <td class="number">${shownUsd(previous?.costUsd ?? '0', digits)}</td>
    <td class="number">${changeRatio === undefined ? 'new' : shownPercent(changeRatio, true)}</td>
    <td class="number">${shownCount(calls)}</td>
  </tr>`;
}

/** Every day of the month: what is to come, or had no calls, cost nothing. */
function daysOf({ month, sections }: StatementDocument): ChartDay[] {
  const costs = new Map(sections.days.rows.map(({ key, costUsd }) => [key.day, costUsd]));
  const days: ChartDay[] = [];
  const first = `${month}-01`;
  for (let day = first; day < addMonths(first, 1); day = addDays(day, 1)) {
    days.push({ day, costUsd: costs.get(day) ?? '0' });
  }
  return days;
}
