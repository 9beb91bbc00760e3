import type { GeneratedPanel, GeneratedStep } from '../live/generated-board.ts';

/* Grafana's colours in its dark theme. */

export const page = {
  background: '#111217',
  panel: '#181b1f',
  border: '#2c3038',
  text: '#ccccdc',
  muted: '#8e8e9e',
} as const;

const named: Readonly<Record<string, string>> = {
  green: '#73BF69',
  orange: '#FF9830',
  red: '#F2495C',
  blue: '#5794F2',
  text: page.text,
};

const palette = [
  '#73BF69',
  '#F2CC0C',
  '#8AB8FF',
  '#FF780A',
  '#F2495C',
  '#5794F2',
  '#B877D9',
  '#705DA0',
  '#37872D',
  '#FADE2A',
  '#447EBC',
  '#C15C17',
  '#890F02',
  '#0A437C',
  '#6D1F62',
  '#96D98D',
] as const;

/** A colour by Grafana's name for it. */
export function colourNamed(name: string): string {
  return named[name] ?? name;
}

/** The colour of the series at this place. */
export function seriesColour(index: number): string {
  return palette[index % palette.length] ?? page.text;
}

/** The colour of a series: the one that the panel gives its name, or the next of the palette. */
export function colourOf(panel: GeneratedPanel, name: string, index: number): string {
  const override = panel.fieldConfig?.overrides.find(({ matcher }) => matcher.options === name);
  const color = override?.properties.find(({ id }) => id === 'color')?.value as
    { fixedColor: string } | undefined;
  return color === undefined ? seriesColour(index) : colourNamed(color.fixedColor);
}

/** The colour that a value has by its panel's steps. */
export function stepColour(value: number | null, steps: readonly GeneratedStep[]): string {
  const reached = steps.filter((step) => step.value === null || (value !== null && value >= step.value));
  return colourNamed(reached.at(-1)?.color ?? 'text');
}
