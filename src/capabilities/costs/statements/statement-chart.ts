import { usd } from '../../../kernel/money.ts';
import { html, type Html } from './html.ts';
import { digitsFor, shownUsd } from './statement-numbers.ts';

/* Spend by the day as bars, in SVG. Heights are for the eye; the amounts stand in the table beside it. */

export interface ChartDay {
  readonly day: string;
  readonly costUsd: string;
}

const width = 720;
const height = 190;
const plot = { left: 64, right: 8, top: 12, bottom: 28 };
const steps = 4;

/** The days of a month, those without spend among them. */
export function dayChart(days: readonly ChartDay[]): Html {
  const values = days.map(({ costUsd }) => Math.max(0, usd(costUsd).toNumber()));
  const top = niceTop(Math.max(...values));
  const plotHeight = height - plot.top - plot.bottom;
  const slot = (width - plot.left - plot.right) / days.length;
  const yOf = (value: number): number => plot.top + plotHeight * (1 - value / top);
  const fixed = (value: number): string => value.toFixed(1);
  const grid = Array.from({ length: steps + 1 }, (_, index) => {
    const value = (top / steps) * index;
    const label = shownUsd(usd(value.toFixed(9)), top >= steps ? 2 : digitsFor(top.toFixed(9)));
    return html`<line
        x1="${plot.left}"
        x2="${width - plot.right}"
        y1="${fixed(yOf(value))}"
        y2="${fixed(yOf(value))}"
        class="grid"
      />
      <text x="${plot.left - 6}" y="${fixed(yOf(value) + 4)}" class="axis end">${label}</text>`;
  });
  const bars = days.map(({ day, costUsd }, index) => {
    const value = values[index] ?? 0;
    const x = plot.left + slot * index;
    const weekday = new Date(day).getUTCDay();
    const kind = weekday === 0 || weekday === 6 ? 'bar weekend' : 'bar';
    return html`<rect
        x="${fixed(x + slot * 0.12)}"
        width="${fixed(slot * 0.76)}"
        y="${fixed(yOf(value))}"
        height="${fixed(plot.top + plotHeight - yOf(value))}"
        class="${kind}"
        ><title>${day}: ${costUsd} USD</title></rect
      >
      <text x="${fixed(x + slot / 2)}" y="${height - 10}" class="axis middle">${Number(day.slice(8))}</text>`;
  });
  return html`<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="Spend by the day">
    ${grid}${bars}
  </svg>`;
}

/** A share of the whole as a bar for a cell of a table. */
export function shareBar(share: string | undefined): Html {
  const part = Math.min(1, Math.max(0, Number(share ?? '0')));
  return html`<svg viewBox="0 0 100 8" class="share" aria-hidden="true" preserveAspectRatio="none">
    <rect width="100" height="8" class="track" />
    <rect width="${(part * 100).toFixed(1)}" height="8" class="bar" />
  </svg>`;
}

/** The least of 1, 2, 2.5, 5 and 10 times a power of ten that is not below the value. */
function niceTop(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 2, 2.5, 5, 10].find((candidate) => candidate * power >= value) ?? 10;
  return factor * power;
}
