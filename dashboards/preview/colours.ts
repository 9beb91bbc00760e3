import { createHash } from 'node:crypto';
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
  'dark-red': '#C4162A',
  red: '#F2495C',
  'light-red': '#FF7383',
  'dark-orange': '#FA6400',
  orange: '#FF9830',
  'light-orange': '#FFB357',
  'dark-yellow': '#E0B400',
  yellow: '#FADE2A',
  'light-yellow': '#FFEE52',
  green: '#73BF69',
  'light-green': '#96D98D',
  'dark-blue': '#1F60C4',
  blue: '#5794F2',
  'light-blue': '#8AB8FF',
  'super-light-blue': '#C0D8FF',
  'dark-purple': '#8F3BB8',
  purple: '#B877D9',
  'light-purple': '#CA95E5',
  'super-light-purple': '#DEB6F2',
  text: page.text,
};

/** For names without a meaning: none that says good or bad louder than the others, none that is lost on the ground. */
const palette = [
  '#73BF69',
  '#FADE2A',
  '#8AB8FF',
  '#FF780A',
  '#B877D9',
  '#3274D9',
  '#FFA6B0',
  '#37872D',
  '#6ED0E0',
  '#BA43A9',
  '#C8F2C2',
  '#967302',
] as const;

/** A colour by Grafana's name for it. Fails at one that is not known here. */
export function colourNamed(name: string): string {
  const colour = named[name];
  if (colour === undefined) throw new Error(`The preview does not know the colour "${name}".`);
  return colour;
}

/** The colour of the series at this place. */
function seriesColour(index: number): string {
  return palette[index % palette.length] ?? page.text;
}

/**
 * The colour of each name: the one that the panel gives it, or one that follows from the name, so that a stage or a
 * model looks the same on every panel. Two names of a panel never share one while there are others.
 */
export function coloursOf(panel: GeneratedPanel, names: readonly string[]): ReadonlyMap<string, string> {
  const colours = new Map<string, string>();
  const taken = new Set<number>();
  for (const name of new Set(names)) {
    const given = fixedColour(panel, name);
    if (given !== undefined) {
      colours.set(name, colourNamed(given));
      continue;
    }
    let place = numberOf(name) % palette.length;
    while (taken.has(place) && taken.size < palette.length) place = (place + 1) % palette.length;
    taken.add(place);
    colours.set(name, seriesColour(place));
  }
  return colours;
}

/** What a panel sets for a name, in this property. */
export function propertyOf(panel: GeneratedPanel, name: string, id: string): unknown {
  return panel.fieldConfig?.overrides
    .filter(({ matcher }) => matches(matcher, name))
    .flatMap(({ properties }) => properties)
    .find((property) => property.id === id)?.value;
}

/** Grafana's name of the colour that a panel gives a name. */
export function fixedColour(panel: GeneratedPanel, name: string): string | undefined {
  const color = propertyOf(panel, name, 'color') as { readonly fixedColor: string } | undefined;
  return color?.fixedColor;
}

function matches({ id, options }: { readonly id: string; readonly options: unknown }, name: string): boolean {
  return id === 'byRegexp' ? new RegExp(String(options).slice(1, -1)).test(name) : options === name;
}

/** A number that follows from a text. */
function numberOf(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0);
}

/** The colour that a value has by its panel's steps. */
export function stepColour(value: number | null, steps: readonly GeneratedStep[]): string {
  const reached = steps.filter((step) => step.value === null || (value !== null && value >= step.value));
  return colourNamed(reached.at(-1)?.color ?? 'text');
}
