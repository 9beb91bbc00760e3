import { usd } from '../../kernel/money.ts';
import { html, type Html } from './html.ts';
import { digitsFor, shownCount, shownUsd } from './shown-numbers.ts';

/* Charts as SVG. Sizes are for the eye; the amounts stand in the titles of the bars, and in tables beside them. */

/** One bar of a chart: an amount in US dollars as exact decimal text. */
export interface ChartBar {
  readonly label: string;
  readonly amountUsd: string;
  /** What the bar says when it is pointed at. */
  readonly title: string;
  /** Drawn lighter than the others. */
  readonly isMuted?: boolean;
}

const width = 720;
const height = 190;
const plot = { left: 64, right: 8, top: 12, bottom: 28 };
const steps = 4;

/** Amounts as bars, in the order in which they are given; `name` says to those who cannot see it what is drawn. */
export function barChart(name: string, drawn: readonly ChartBar[]): Html {
  const values = drawn.map(({ amountUsd }) => Math.max(0, usd(amountUsd).toNumber()));
  const top = niceTop(Math.max(...values));
  const plotHeight = height - plot.top - plot.bottom;
  const slot = (width - plot.left - plot.right) / drawn.length;
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
  const bars = drawn.map(({ label, title, isMuted = false }, index) => {
    const value = values[index] ?? 0;
    const x = plot.left + slot * index;
    const kind = isMuted ? 'bar muted' : 'bar';
    return html`<rect
        x="${fixed(x + slot * 0.12)}"
        width="${fixed(slot * 0.76)}"
        y="${fixed(yOf(value))}"
        height="${fixed(plot.top + plotHeight - yOf(value))}"
        class="${kind}"
        ><title>${title}</title></rect
      >
      <text x="${fixed(x + slot / 2)}" y="${height - 10}" class="axis middle">${label}</text>`;
  });
  return html`<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${name}">${grid}${bars}</svg>`;
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

/** A part of a whole in a stacked bar. `tone` is a class of the style sheet. */
export interface BarPart {
  readonly name: string;
  readonly count: number;
  readonly tone: 'good' | 'bad' | 'late' | 'calm' | 'active' | 'idle';
}

/** The parts of a whole side by side in one bar, each as long as its share, with what they are below. */
export function partsBar(name: string, given: readonly BarPart[]): Html {
  const parts = given.filter(({ count }) => count > 0);
  const whole = parts.reduce((sum, { count }) => sum + count, 0);
  let left = 0;
  const drawn = parts.map((part) => {
    const x = left;
    left += (part.count / whole) * width;
    return html`<rect x="${x.toFixed(1)}" width="${(left - x).toFixed(1)}" height="22" class="${part.tone}"
      ><title>${part.name}: ${shownCount(part.count)}</title></rect
    >`;
  });
  return html`<svg viewBox="0 0 ${width} 22" role="img" aria-label="${name}">${drawn}</svg>
    <p class="legend">
      ${parts.map(
        ({ name: label, count, tone }) =>
          html`<span
            ><svg viewBox="0 0 10 10" class="mark" aria-hidden="true">
              <rect width="10" height="10" class="${tone}" /></svg
            >${label} <b>${shownCount(count)}</b></span
          >`,
      )}
    </p>`;
}

/** Something that began and ended, in milliseconds of one clock. */
export interface ChartSpan {
  readonly label: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly title: string;
}

const spanHeight = 24;
const spanLabelWidth = 170;

/** Spans of time below each other, over the time from the first to the last. */
export function spansChart(name: string, spans: readonly ChartSpan[]): Html {
  const from = Math.min(...spans.map(({ fromMs }) => fromMs));
  const length = Math.max(1, Math.max(...spans.map(({ toMs }) => toMs)) - from);
  const scale = (width - spanLabelWidth) / length;
  const bars = spans.map(({ label, fromMs, toMs, title }, index) => {
    const y = index * spanHeight;
    return html`<text x="0" y="${y + 16}" class="axis">${cut(label)}</text>
      <rect x="${spanLabelWidth}" y="${y + 5}" width="${width - spanLabelWidth}" height="14" class="track" />
      <rect
        x="${(spanLabelWidth + (fromMs - from) * scale).toFixed(1)}"
        y="${y + 5}"
        width="${Math.max(1, (toMs - fromMs) * scale).toFixed(1)}"
        height="14"
        class="bar"
        ><title>${label}: ${title}</title></rect
      >`;
  });
  return html`<svg viewBox="0 0 ${width} ${spans.length * spanHeight}" role="img" aria-label="${name}">
    ${bars}
  </svg>`;
}

const characters = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** A label in the room that it has. Whole characters: half of one is no text. */
function cut(label: string): string {
  const parts = Array.from(characters.segment(label), ({ segment }) => segment);
  return parts.length <= 26 ? label : `${parts.slice(0, 25).join('')}…`;
}
