import { describe, expect, it } from 'vitest';
import { closedNames } from '../../src/host/closed-names.ts';
import { repositoryFiles } from './repository-files.ts';

const files = new Map(repositoryFiles().map(({ path, text }) => [path, text]));

describe('docs/bounds.md', () => {
  const levels = (files.get('docs/bounds.md') ?? '').split('\n## ').find((part) => part.startsWith('Levels'));
  const rows = [...(levels ?? '').matchAll(/^\| `(\w+)` *\|(.*)\|$/gm)].map(([, bound = '', rest = '']) => ({
    bound,
    cells: rest.split('|').map((cell) => cell.trim()),
  }));

  it('has every bound of the closed list, and no other', () => {
    expect(rows.map(({ bound }) => bound)).toEqual([...closedNames.bounds]);
  });

  it('says for each where it is set and what happens at the limit', () => {
    for (const { bound, cells } of rows) {
      const [kind, limit, setIn, behaviour] = cells;
      expect(kind, bound).toBe(
        closedNames.boundsFullUnderLoad.some((name) => name === bound) ? 'load' : 'watch',
      );
      expect(limit, bound).not.toBe('');
      expect(behaviour, bound).toMatch(/^(wait|refused|spill): /);
      for (const [, path = ''] of (setIn ?? '').matchAll(/`(src\/[^`]+)`/g))
        expect(files.has(path), path).toBe(true);
      for (const [, name = ''] of (setIn ?? '').matchAll(/`(\w+\.\w+)`/g))
        expect(files.get('docs/configuration.md'), name).toContain(`\`${name}\``);
    }
  });
});
