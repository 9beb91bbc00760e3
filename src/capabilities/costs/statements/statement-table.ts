import { ratioText, usd } from '../../../kernel/money.ts';
import { html, type Html } from '../../../http/pages/html.ts';
import { shareBar } from '../../../http/pages/charts.ts';
import type { StatementSectionDocument } from './statement-document.ts';
import { shownCount, shownPercent, shownUsd } from '../../../http/pages/shown-numbers.ts';

/* A section of a statement as a table: its rows, all others, and the total that they add up to. */

type Row = StatementSectionDocument['rows'][number];
export type NameOf = (key: Row['key']) => string;

/** What the last row of a table shows. */
export interface SectionTotal {
  readonly costUsd: string;
  readonly calls: number;
  readonly share?: string | undefined;
  readonly previous?: { readonly costUsd: string } | undefined;
  readonly changeRatio?: string | undefined;
}

export function sectionTable({
  heading,
  section: { rows, otherRows, otherUsd, otherPreviousUsd = '0' },
  nameOf,
  digits,
  total,
}: {
  readonly heading: string;
  readonly section: StatementSectionDocument;
  readonly nameOf: NameOf;
  readonly digits: number;
  readonly total: SectionTotal;
}): Html {
  const name = heading.replace(/^(?:By |Waste by )(.)/, (_, first: string) => first.toUpperCase());
  const shareOfAll = ratioText(usd(total.costUsd), usd(total.costUsd));
  const others = {
    costUsd: otherUsd,
    share: ratioText(usd(otherUsd), usd(total.costUsd)),
    previous: { costUsd: otherPreviousUsd },
    changeRatio: ratioText(usd(otherUsd).minus(usd(otherPreviousUsd)), usd(otherPreviousUsd)),
    calls: total.calls - rows.reduce((sum, { calls }) => sum + calls, 0),
  };
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
        ${rows.map((row) => rowOf(row, html`<bdi>${shownName(nameOf(row.key))}</bdi>${unpricedOf(row)}`, digits))}
        ${otherRows ? rowOf(others, html`All others`, digits) : undefined}
        ${rowOf({ ...total, share: total.share ?? shareOfAll }, html`Total`, digits, 'sum')}
      </tbody>
    </table>
  </section>`;
}

function rowOf(row: SectionTotal, name: Html, digits: number, kind = 'row'): Html {
  const { costUsd, share, previous, calls } = row;
  return html`<tr class="${kind}">
    <td>${name}</td>
    <td class="number">${shownUsd(costUsd, digits)}</td>
    <td class="number">${share === undefined ? '' : shownPercent(share)}</td>
    <td class="bars">${kind === 'sum' ? undefined : shareBar(share)}</td>
    <td class="number">${shownUsd(previous?.costUsd ?? '0', digits)}</td>
    <td class="number">${changeOf(row)}</td>
    <td class="number">${shownCount(calls)}</td>
  </tr>`;
}

function changeOf({ changeRatio, costUsd }: SectionTotal): string {
  if (changeRatio !== undefined) return shownPercent(changeRatio, true);
  // Nothing before: what costs something is new, what costs nothing has not changed.
  return usd(costUsd).isZero() ? '–' : 'new';
}

function shownName(name: string): string {
  return name === '' ? '(none)' : name;
}

function unpricedOf({ unpricedCalls }: Row): Html | undefined {
  return unpricedCalls === 0 ? undefined : html` <i>${shownCount(unpricedCalls)} unpriced</i>`;
}
