import { formatUsd, sumUsd, usd } from '../../../kernel/money.ts';
import { html, type Html } from '../../../http/pages/html.ts';
import { hasCascades } from '../../../pricing/cascade-savings.ts';
import { unvaluedParts } from '../../../pricing/savings.ts';
import type { StatementDocument } from './statement-document.ts';
import { monthName, shownUsd, shownCounted } from '../../../http/pages/shown-numbers.ts';

/* The parts of a statement's page that not every statement has. */

/** What belongs to earlier months that are closed. */
export function correctionsOf({ corrections }: StatementDocument, digits: number): Html | undefined {
  if (corrections.length === 0) return undefined;
  const total = formatUsd(sumUsd(corrections.map(({ costUsd }) => usd(costUsd))));
  return html`<section class="whole">
    <h2>Corrections of earlier months</h2>
    <p class="note">
      These months are closed, so that what was learnt of their calls later is booked in this one. It is part
      of the total.
    </p>
    <table>
      <thead>
        <tr>
          <th>Month corrected</th>
          <th class="number wide">Cost</th>
        </tr>
      </thead>
      <tbody>
        ${corrections.map(
          ({ month, costUsd }) =>
            html`<tr>
              <td>${/^\d{4}-\d{2}$/.test(month) ? monthName(month) : month}</td>
              <td class="number">${shownUsd(costUsd, digits)}</td>
            </tr>`,
        )}
        <tr class="sum">
          <td>All corrections</td>
          <td class="number">${shownUsd(total, digits)}</td>
        </tr>
      </tbody>
    </table>
  </section>`;
}

const tierNames: Readonly<Record<string, string>> = {
  batch: 'Batch mode',
  flex: 'Flex tier',
  priority: 'Priority tier',
};

/** What was paid less, and more, than without caches and tiers. */
export function savingsOf({ savings }: StatementDocument, digits: number): Html | undefined {
  if (savings === undefined) return undefined;
  const { caching, tiers, cascade, unvalued } = savings;
  const rows = [
    ...(caching.readTokens === '0' && usd(caching.writeSurchargeUsd).isZero()
      ? []
      : [
          {
            name: 'Cached input',
            paid: formatUsd(usd(caching.paidUsd).plus(usd(caching.writeSurchargeUsd))),
            without: caching.uncachedUsd,
            saved: caching.savedUsd,
          },
        ]),
    ...tiers.map(({ tier, paidUsd, standardUsd, savedUsd }) => ({
      name: tierNames[tier] ?? `Tier ${tier}`,
      paid: paidUsd,
      without: standardUsd,
      saved: savedUsd,
    })),
    ...(hasCascades(cascade)
      ? [
          {
            name: 'Cascades of models',
            paid: cascade.paidUsd,
            without: cascade.lastModelUsd,
            saved: cascade.savedUsd,
          },
        ]
      : []),
  ];
  const unvaluedNotes = unvaluedParts(unvalued);
  if (rows.length === 0 && unvaluedNotes.length === 0) return undefined;
  return html`<section class="whole">
    <h2>Savings</h2>
    <table>
      <thead>
        <tr>
          <th>Saved by</th>
          <th class="number wide">Paid</th>
          <th class="number wide">Without it</th>
          <th class="number wide">Saved</th>
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ({ name, paid, without, saved }) =>
            html`<tr>
              <td>${name}</td>
              <td class="number">${shownUsd(paid, digits)}</td>
              <td class="number">${shownUsd(without, digits)}</td>
              <td class="number">${shownUsd(saved, digits)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
    <p class="note">
      Without it: the same tokens uncached, or in the standard tier, at the prices of the calls. A negative
      amount was paid on top. Answers that were reused cost nothing and are not in the table.
    </p>
    ${unvaluedNotes.map(
      ({ calls, which }) =>
        html`<p class="note">
          Not in it: ${shownCounted(calls, 'call')} in another tier or with cached tokens, ${which}.
        </p>`,
    )}
  </section>`;
}
