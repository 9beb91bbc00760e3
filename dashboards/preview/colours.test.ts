import { expect, it } from 'vitest';
import { timeSeries } from '../charts.ts';
import { promql } from '../data-queries.ts';
import type { GeneratedPanel } from '../live/generated-board.ts';
import * as seriesColours from '../series-colours.ts';
import { colourNamed, coloursOf, propertyOf } from './colours.ts';

const panel = JSON.parse(
  JSON.stringify({
    ...timeSeries({
      title: 'x',
      description: 'x',
      unit: 'short',
      width: 8,
      colours: { success: 'green' },
      limitSuffix: 'limit',
      queries: [promql('up', 'x')],
    }).build(),
    id: 1,
  }),
) as GeneratedPanel;
const models = ['gpt-5-mini', 'gpt-5-nano', 'claude-haiku-4-5', 'claude-sonnet-4-5', 'other', 'success'];

it('gives a name the colour that its panel says, and every other name one of its own', () => {
  const colours = coloursOf(panel, models);
  expect(colours.get('success')).toBe('#73BF69');
  const others = [...colours].filter(([name]) => name !== 'success').map(([, colour]) => colour);
  expect(new Set(others).size).toBe(others.length);
});

it('gives a name the same colour alone and before others', () => {
  const alone = models.map((name) => coloursOf(panel, [name]).get(name));
  const first = models.map((name) => coloursOf(panel, [name, ...models]).get(name));
  expect(first).toEqual(alone);
  expect(new Set(alone).size).toBeGreaterThan(2);
});

it('knows which lines are limits by the end of their names', () => {
  expect(propertyOf(panel, 'answer limit', 'custom.lineStyle')).toMatchObject({ fill: 'dash' });
  expect(propertyOf(panel, 'limited answer', 'custom.lineStyle')).toBeUndefined();
});

it('knows every colour that a series of the boards has', () => {
  const names = Object.values(seriesColours).flatMap((colours) => Object.values(colours));
  expect(names.length).toBeGreaterThan(50);
  for (const name of new Set(names)) expect(colourNamed(name)).toMatch(/^#/);
});
