import { expect, it } from 'vitest';
import * as palettes from './series-colours.ts';
import { colourNamed } from './preview/colours.ts';

const { outcomeColours, ...others } = palettes;

it.each(Object.entries(others))('%s: no two values look alike, and the preview knows them', (_, colours) => {
  const names = Object.values<string>(colours);
  expect(new Set(names).size).toBe(names.length);
  expect(() => names.map((name) => colourNamed(name))).not.toThrow();
});

it('shows what is good in green, and what is lost in red', () => {
  expect(outcomeColours).toMatchObject({ success: 'green', completed: 'green', dead_lettered: 'red' });
  expect(palettes.meteringColours).toMatchObject({ flushed: 'green', dropped: 'red' });
});
