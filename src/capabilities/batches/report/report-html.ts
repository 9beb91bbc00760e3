import { type BarPart, partsBar, spansChart } from '../../../http/pages/charts.ts';
import { html, type Html } from '../../../http/pages/html.ts';
import { cards, renderPage } from '../../../http/pages/page.ts';
import {
  digitsFor,
  shownCount,
  shownDuration,
  shownPercent,
  shownUsd,
  shownUtc,
  shownCounted,
} from '../../../http/pages/shown-numbers.ts';
import { pageTable } from '../../../http/pages/table.ts';
import { concentrationSection, previousSection, savingsSection, spendSections } from './report-html-spend.ts';
import type { BatchReportDocument } from './report-document.ts';

/* The report of a batch as a page. Amounts are rounded for reading; the exact total is given, and so is all that is not in it. */

const ends: Readonly<Record<BatchReportDocument['batch']['state'], string>> = {
  receiving: 'It has not begun.',
  running: 'It is running: these are the figures so far.',
  paused: 'It is paused: these are the figures so far.',
  halted: 'It is halted: these are the figures so far.',
  cancelling: 'It is being cancelled: these are the figures so far.',
  succeeded: 'It succeeded.',
  failed: 'It failed.',
  cancelled: 'It was cancelled.',
  expired: 'It did not end by its deadline.',
};

/** The page. `isServed`: by the API, whose paths are links then; in a file they would lead nowhere. */
export function renderReportHtml(
  report: BatchReportDocument,
  { isServed }: { readonly isServed: boolean },
): string {
  const { batch, cost, asOf } = report;
  const digits = digitsFor(cost.totalUsd);
  return renderPage({
    title: `${batch.name}: report of the batch`,
    kind: report.isFinal ? 'Completion report of a batch' : 'Report of a batch so far',
    heading: batch.name,
    period: html`Team <bdi>${batch.team}</bdi>, pipeline <bdi>${batch.pipeline}</bdi>,
      ${batch.startedAt === undefined ? 'not started' : `from ${shownUtc(batch.startedAt)}`}${batch.endedAt === undefined ? '' : ` to ${shownUtc(batch.endedAt)}`}${batch.deadline === undefined ? '' : `, deadline ${shownUtc(batch.deadline)}`}
      (UTC), mode ${batch.mode}. ${ends[batch.state]} Amounts are in US dollars.`,
    body: html`${summary(report, digits)} ${findings(report, digits)} ${itemsSection(report, isServed)}
    ${timeSection(report)} ${spendSections(report, digits)} ${savingsSection(report, digits)}
    ${concentrationSection(report, digits)} ${previousSection(report)}`,
    footer: html`<p>
        Computed from the price of every call of the batch. Total, exact: ${cost.totalUsd} USD. Amounts above
        are rounded to ${digits} digits, small ones to more, so that rows may seem to differ from totals by
        the last one. Waste is part of the total. Percentiles are values that occur.
      </p>
      <p>Batch ${batch.id}, figures of ${asOf}.</p>`,
  });
}

function summary(report: BatchReportDocument, digits: number): Html {
  const { items, cost, time, previous } = report;
  const each = cost.perSucceededUsd;
  const change = previous?.costPerSucceededChange;
  return cards([
    [
      'Items succeeded',
      items.successShare === undefined ? '–' : shownPercent(items.successShare),
      `${shownCount(items.succeeded)} of ${shownCount(items.total)}`,
    ],
    ['Total cost', shownUsd(cost.totalUsd, digits), shownCounted(cost.calls, 'call')],
    [
      'Per succeeded item',
      each === undefined ? '–' : shownUsd(each, digitsFor(each)),
      change === undefined ? 'nothing to compare with' : `${shownPercent(change, true)} to the batch before`,
    ],
    [
      'Time',
      time.seconds === undefined ? '–' : shownDuration(time.seconds),
      `${shownCounted(items.retried, 'item')} retried`,
    ],
  ]);
}

/** What the figures do not say, and why the batch stands where it does. */
function findings(report: BatchReportDocument, digits: number): Html | undefined {
  const { cost, batch, goneItems } = report;
  const open = [
    batch.cause === undefined ? undefined : html`<li><b>${batch.cause.code}</b>: ${batch.cause.detail}</li>`,
    batch.quality === undefined
      ? undefined
      : html`<li>
          <b>${shownCount(batch.quality.passed)}</b> of ${shownCount(batch.quality.drawn)} checked items
          passed ${batch.quality.validator}; ${String(batch.quality.minimum)} % are needed.
        </li>`,
    goneItems === 0
      ? undefined
      : html`<li>
          The messages of <b>${shownCount(goneItems)}</b> items are no longer in the ledger: their calls are
          in no amount.
        </li>`,
    cost.unsettledCalls === 0
      ? undefined
      : html`<li>
          <b>${shownCount(cost.unsettledCalls)}</b> calls whose outcome is not known. They are not in the
          total.
        </li>`,
    cost.openCalls === 0
      ? undefined
      : html`<li><b>${shownCount(cost.openCalls)}</b> calls under way. They are not in the total.</li>`,
    cost.estimatedCalls === 0
      ? undefined
      : html`<li>
          <b>${shownCount(cost.estimatedCalls)}</b> calls whose usage the provider did not report. They are in
          the total as estimated.
        </li>`,
    cost.unpricedCalls === 0
      ? undefined
      : html`<li>
          <b>${shownCount(cost.unpricedCalls)}</b> calls whose price is not known. They are not in the total,
          and cost more than nothing.
        </li>`,
  ].filter((line) => line !== undefined);
  if (open.length === 0) return undefined;
  const hasOpenCalls = cost.unsettledCalls + cost.openCalls + cost.unpricedCalls > 0;
  return html`<section class="open whole">
    <h2>To know</h2>
    <ul>
      ${open}
    </ul>
    ${
      hasOpenCalls
        ? html`<p>
            What is not in the total can have cost at most <b>${shownUsd(cost.openUpperBoundUsd, digits)}</b>,
            as far as prices are known.
          </p>`
        : undefined
    }
  </section>`;
}

const endNames = {
  failed: 'Failed',
  expired: 'Expired',
  cancelled: 'Cancelled',
  skipped: 'Skipped',
} as const;

function itemsSection(
  { items, reasons, otherReasons, failedItems }: BatchReportDocument,
  isServed: boolean,
): Html {
  const parts: readonly BarPart[] = [
    { name: 'succeeded', count: items.succeeded, tone: 'good' },
    { name: 'failed', count: items.failed, tone: 'bad' },
    { name: 'expired', count: items.expired, tone: 'late' },
    { name: 'cancelled', count: items.cancelled, tone: 'calm' },
    { name: 'skipped', count: items.skipped, tone: 'calm' },
    { name: 'running', count: items.running, tone: 'active' },
    { name: 'waiting', count: items.waiting, tone: 'idle' },
  ];
  return html`<section class="whole">
      <h2>Items</h2>
      ${items.total === 0 ? html`<p>The batch has no items.</p>` : partsBar('Items by how they stand', parts)}
    </section>
    ${
      reasons.length === 0
        ? undefined
        : html`<section>
            <h2>Why items did not succeed</h2>
            ${pageTable(
              [
                { title: 'Reason' },
                { title: 'End', width: 'amount' },
                { title: 'Items', kind: 'number', width: 'count' },
              ],
              [
                ...reasons.map(({ code, end, items: count }) => ({
                  cells: [
                    html`<bdi>${code === '' ? '(none recorded)' : code}</bdi>`,
                    endNames[end],
                    shownCount(count),
                  ],
                })),
                ...(otherReasons === 0
                  ? []
                  : [{ cells: ['All other reasons', '', shownCount(otherReasons)] }]),
              ],
            )}
            <p class="note">
              Ready to be resubmitted:
              ${isServed ? html`<a href="${failedItems}">${failedItems}</a>` : html`<code>GET ${failedItems}</code>`},
              or <code>millrace batch failed</code>.
            </p>
          </section>`
    }`;
}

function timeSection({ time: { stages } }: BatchReportDocument): Html | undefined {
  if (stages.length === 0) return undefined;
  const spans = stages.flatMap(({ stage, firstStartAt, lastEndAt, seconds = 0 }) =>
    firstStartAt === undefined || lastEndAt === undefined
      ? []
      : [
          {
            label: stage,
            fromMs: Date.parse(firstStartAt),
            toMs: Date.parse(lastEndAt),
            title: `${shownUtc(firstStartAt)} to ${shownUtc(lastEndAt)}, ${shownDuration(seconds)}`,
          },
        ],
  );
  const duration = (ms: number | undefined): string => (ms === undefined ? '–' : shownDuration(ms / 1000));
  return html`<section>
    <h2>Time by stage</h2>
    ${spans.length === 0 ? undefined : spansChart('From the first start to the last end of each stage', spans)}
    ${pageTable(
      [
        { title: 'Stage' },
        { title: 'Messages', kind: 'number', width: 'count' },
        { title: 'Retried', kind: 'number', width: 'ratio' },
        { title: 'p50', kind: 'number', width: 'count' },
        { title: 'p95', kind: 'number', width: 'count' },
        { title: 'Longest', kind: 'number', width: 'count' },
        { title: 'First to last', kind: 'number', width: 'amount' },
      ],
      stages.map(({ stage, messages, retried, p50Ms, p95Ms, maxMs, seconds }) => ({
        cells: [
          html`<bdi>${stage}</bdi>`,
          shownCount(messages),
          shownCount(retried),
          duration(p50Ms),
          duration(p95Ms),
          duration(maxMs),
          seconds === undefined ? '–' : shownDuration(seconds),
        ],
      })),
    )}
    <p class="note">p50, p95 and longest are of the last run of each message, from its lease to its end.</p>
  </section>`;
}
