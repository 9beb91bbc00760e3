import { formatUsd, usd } from '../../../kernel/money.ts';
import { barChart, shareBar } from '../../../http/pages/charts.ts';
import { html, type Html } from '../../../http/pages/html.ts';
import {
  digitsFor,
  shownCount,
  shownDuration,
  shownPercent,
  shownUsd,
  shownCounted,
} from '../../../http/pages/shown-numbers.ts';
import { type PageColumn, pageTable } from '../../../http/pages/table.ts';
import { cascadeText, hasCascades } from '../../../pricing/cascade-savings.ts';
import { unvaluedParts } from '../../../pricing/savings.ts';
import type { TokenClass } from '../../../pricing/token-classes.ts';
import type { BatchReportDocument, ComparedFigures } from './report-document.ts';

/* The parts of a report's page that are about money. */

const amount: PageColumn = { title: 'Cost', kind: 'number', width: 'amount' };
const ratio: PageColumn = { title: 'Share', kind: 'number', width: 'ratio' };
const bars: PageColumn = { title: '', kind: 'bars' };
const calls: PageColumn = { title: 'Calls', kind: 'number', width: 'count' };

const shownShare = (share: string | undefined): string => (share === undefined ? '–' : shownPercent(share));
const shownAmount = (value: string | undefined): string =>
  value === undefined ? '–' : shownUsd(value, digitsFor(value));

const wasteCauses: Readonly<Record<string, string>> = {
  failed: 'Calls that failed',
  aborted: 'Calls that were aborted',
  duplicate: 'Answers that were there already',
  retried: 'Calls that were tried again',
  invalid_output: 'Answers of no use',
};

const tokenNames: Readonly<Record<TokenClass, string>> = {
  uncached_input: 'Input, not cached',
  cache_read: 'Input, read from a cache',
  cache_write_5m: 'Input, written to a cache (5 min)',
  cache_write_1h: 'Input, written to a cache (1 h)',
  audio_input: 'Audio input',
  image_input: 'Image input',
  text_output: 'Text output',
  reasoning: 'Reasoning',
  audio_output: 'Audio output',
  image_output: 'Image output',
};

/** What it cost: an item, by model and tier, by stage, by token class, and what bought nothing. */
export function spendSections(report: BatchReportDocument, digits: number): Html {
  const { cost, tokens, waste } = report;
  const { perItem, models, stages } = cost;
  const total = shownUsd(cost.totalUsd, digits);
  return html`<section class="whole">
      <h2>Cost of an item</h2>
      ${pageTable(
        ['Items', 'Mean', 'p50', 'p95', 'Most'].map((title) => ({ title, kind: 'number' as const })),
        [
          {
            cells: [
              shownCount(perItem.items),
              shownAmount(perItem.meanUsd),
              shownAmount(perItem.p50Usd),
              shownAmount(perItem.p95Usd),
              shownAmount(perItem.maxUsd),
            ],
          },
        ],
      )}
      <p class="note">Of the items that were begun, all their calls and their waste included.</p>
    </section>
    <section>
      <h2>By model and tier</h2>
      ${pageTable(
        [{ title: 'Model' }, { title: 'Tier', width: 'ratio' }, amount, ratio, bars, calls],
        [
          ...models.map(({ provider, model, tier, costUsd, share, calls: count }) => ({
            cells: [
              html`<bdi>${provider}/${model}</bdi>`,
              tier === 'default' ? 'standard' : tier,
              shownUsd(costUsd, digits),
              shownShare(share),
              shareBar(share),
              shownCount(count),
            ],
          })),
          ...(usd(cost.otherUsd).isZero()
            ? []
            : [{ cells: ['All others', '', shownUsd(cost.otherUsd, digits), '', '', ''] }]),
          { kind: 'sum', cells: ['Total', '', total, '', '', shownCount(cost.calls)] },
        ],
      )}
    </section>
    <section>
      <h2>By stage</h2>
      ${pageTable(
        [{ title: 'Stage' }, amount, ratio, bars, calls],
        stages.map(({ stage, costUsd, share, calls: count }) => ({
          cells: [
            html`<bdi>${stage}</bdi>`,
            shownUsd(costUsd, digits),
            shownShare(share),
            shareBar(share),
            shownCount(count),
          ],
        })),
      )}
    </section>
    <section class="whole">
      <h2>Tokens by class</h2>
      ${pageTable(
        [{ title: 'Class' }, { title: 'Tokens', kind: 'number', width: 'wide' }],
        [
          ...Object.entries(tokens.byClass)
            .filter(([, count]) => count !== '0')
            .map(([name, count]) => ({ cells: [nameOfClass(name), shownCount(count)] })),
          { kind: 'sum', cells: ['Input', shownCount(tokens.input)] },
          { kind: 'sum', cells: ['Output', shownCount(tokens.output)] },
        ],
      )}
      <p class="note">Read from a cache: ${shownShare(tokens.cacheHitRate)} of the input.</p>
    </section>
    <section class="whole">
      <h2>Waste by cause</h2>
      ${
        waste.length === 0
          ? html`<p>No spend was wasted.</p>`
          : pageTable(
              [{ title: 'Cause' }, amount, ratio, bars, calls],
              [
                ...waste.map(({ cause, costUsd, share, calls: count }) => ({
                  cells: [
                    wasteCauses[cause] ?? cause,
                    shownUsd(costUsd, digits),
                    shownShare(share),
                    shareBar(share),
                    shownCount(count),
                  ],
                })),
                {
                  kind: 'sum',
                  cells: ['Total', shownUsd(cost.wasteUsd, digits), shownShare(cost.wasteShare), '', ''],
                },
              ],
            )
      }
    </section>`;
}

function nameOfClass(name: string): string {
  return Object.entries(tokenNames).find(([key]) => key === name)?.[1] ?? name;
}

/** What was paid less, and more, than without caches and tiers. */
export function savingsSection({ savings }: BatchReportDocument, digits: number): Html {
  const { caching, tiers, cascade, sharing, unvalued } = savings;
  const hasCaching = caching.readTokens !== '0' || !usd(caching.writeSurchargeUsd).isZero();
  const rows = [
    ...(hasCaching
      ? [
          {
            name: 'Cached input',
            paid: formatUsd(usd(caching.paidUsd).plus(usd(caching.writeSurchargeUsd))),
            without: caching.uncachedUsd,
            saved: caching.savedUsd,
          },
        ]
      : []),
    ...tiers.map(({ tier, paidUsd, standardUsd, savedUsd }) => ({
      name: tier === 'batch' ? "The provider's batches" : `Tier ${tier}`,
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
    ...(sharing.answers === 0
      ? []
      : [
          {
            name: `Answers shared by items (${shownCount(sharing.answers)})`,
            paid: '0',
            without: sharing.savedUsd,
            saved: sharing.savedUsd,
          },
        ]),
  ];
  return html`<section class="whole">
    <h2>Saved</h2>
    ${
      rows.length === 0
        ? html`<p>
            Nothing: no call was cached, made in a cheaper tier, answered by a smaller model, or shared.
          </p>`
        : pageTable(
            [
              { title: 'By' },
              { title: 'Paid', kind: 'number', width: 'amount' },
              { title: 'Without it', kind: 'number', width: 'amount' },
              { title: 'Saved', kind: 'number', width: 'amount' },
            ],
            rows.map(({ name, paid, without, saved }) => ({
              cells: [name, shownUsd(paid, digits), shownUsd(without, digits), shownUsd(saved, digits)],
            })),
          )
    }
    ${
      hasCascades(cascade)
        ? html`<p class="note">${cascadeText(cascade, (usdText) => shownUsd(usdText, digits))}</p>`
        : html``
    }
    ${unvaluedParts(unvalued).map(
      ({ calls: count, which }) =>
        html`<p class="note">
          In no saving: <b>${shownCounted(count, 'call')}</b> in another tier or with cached tokens, ${which}.
        </p>`,
    )}
    <p class="note">What answers saved that were used again is not known: they leave no record of a price.</p>
  </section>`;
}

/** How the spend is spread over the items. */
export function concentrationSection(
  { concentration, cost }: BatchReportDocument,
  digits: number,
): Html | undefined {
  const { tenths, outliers, gini, topTenthShare } = concentration;
  if (tenths.length === 0 || usd(cost.totalUsd).isZero()) return undefined;
  return html`<section class="whole">
      <h2>How spend is spread over items</h2>
      ${
        // With fewer items some tenths have none.
        tenths.length < 10
          ? undefined
          : barChart(
              'Spend by tenths of the items, the most expensive first',
              tenths.map(({ tenth, items, costUsd, share }) => ({
                label: ordinal(tenth),
                amountUsd: costUsd,
                title: `${ordinal(tenth)} tenth, ${shownCounted(items, 'item')}: ${costUsd} USD, ${shownShare(share)}`,
              })),
            )
      }
      <p class="note">
        The most expensive tenth of the items makes
        <b>${shownShare(topTenthShare)}</b> of the total; the Gini coefficient is <b>${gini ?? '–'}</b> (0:
        all items cost the same).
      </p>
    </section>
    ${
      outliers.length === 0
        ? undefined
        : html`<section>
            <h2>Most expensive items</h2>
            ${pageTable(
              [
                { title: 'Item' },
                { title: 'State', width: 'amount' },
                amount,
                ratio,
                { title: 'Median ×', kind: 'number', width: 'ratio' },
                calls,
              ],
              outliers.map(({ itemId, position, state, costUsd, share, timesMedian, calls: count }) => ({
                cells: [
                  html`<bdi>${itemId}</bdi> <span class="note">#${position}</span>`,
                  state,
                  shownUsd(costUsd, digits),
                  shownShare(share),
                  timesMedian === undefined ? '–' : usd(timesMedian).toFixed(1),
                  shownCount(count),
                ],
              })),
            )}
          </section>`
    }`;
}

function ordinal(place: number): string {
  const ending = { 1: 'st', 2: 'nd', 3: 'rd' }[place] ?? 'th';
  return `${place}${ending}`;
}

/** Beside the batch of the same pipeline before it. */
export function previousSection({ previous }: BatchReportDocument): Html {
  if (previous === undefined) {
    return html`<section class="whole">
      <h2>The batch before</h2>
      <p>There is no earlier batch of this team and pipeline to compare with.</p>
    </section>`;
  }
  const { batch, figures, present, costPerSucceededChange: change, isComplete } = previous;
  const row = (title: string, of: (one: ComparedFigures) => string, note = '') => ({
    cells: [title, of(figures), of(present), note],
  });
  return html`<section class="whole">
    <h2>The batch before</h2>
    ${pageTable(
      [
        { title: 'Of the same team and pipeline' },
        { title: batch.name, kind: 'number', width: 'wide' },
        { title: 'This one', kind: 'number', width: 'wide' },
        { title: 'Change', kind: 'number', width: 'ratio' },
      ],
      [
        row('Items', ({ items }) => shownCount(items)),
        row('Succeeded', ({ succeeded }) => shownCount(succeeded)),
        row('Time', ({ seconds }) => (seconds === undefined ? '–' : shownDuration(seconds))),
        row('Cost', ({ costUsd }) => shownAmount(costUsd)),
        row(
          'Cost per succeeded item',
          ({ costPerSucceededUsd }) => shownAmount(costPerSucceededUsd),
          change === undefined ? '' : shownPercent(change, true),
        ),
        row('Waste', ({ wasteShare }) => shownShare(wasteShare)),
        row('Input read from a cache', ({ cacheHitRate }) => shownShare(cacheHitRate)),
      ],
    )}
    ${
      isComplete
        ? undefined
        : html`<p class="warning">
            Some messages of the earlier batch are no longer in the ledger: what their calls cost is missing
            from it.
          </p>`
    }
  </section>`;
}
