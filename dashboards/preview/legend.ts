import { escaped } from './html.ts';

/* The list of series under a chart. Its height must be known before the chart is drawn. */

const lineHeight = 18;
const characterWidth = 5.8;
const entryPadding = 30;
const restWidth = 80;
const maxLines = 4;

export interface Legend {
  readonly html: string;
  readonly height: number;
}

/** The entries in lines; what does not fit is counted in the last one. */
export function legendOf(
  entries: readonly { readonly name: string; readonly colour: string }[],
  width: number,
): Legend {
  let line = 1;
  let used = 0;
  let shown = 0;
  for (const [index, { name }] of entries.entries()) {
    const needed = name.length * characterWidth + entryPadding;
    if (used + needed > width && used > 0) {
      line += 1;
      used = 0;
    }
    // The last line keeps room for the count of the rest.
    const room = index === entries.length - 1 ? width : width - restWidth;
    if (line > maxLines || (line === maxLines && used + needed > room)) break;
    used += needed;
    shown += 1;
  }
  const rest = entries.length - shown;
  const items = entries
    .slice(0, shown)
    .map(({ name, colour }) => `<span><i style="background:${colour}"></i>${escaped(name)}</span>`);
  if (rest > 0) items.push(`<span class="rest">and ${rest} more</span>`);
  return {
    html: `<div class="legend">${items.join('')}</div>`,
    height: Math.min(line, maxLines) * lineHeight + 4,
  };
}
