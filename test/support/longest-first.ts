import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Begins with the files that take longest, in the order given, so that no worker is left alone with one at the end. Others
 * come in Vitest's order: by how long they took the last time, and in a fresh clone by their size, which says little.
 */
export function longestFirst(files: readonly string[]): typeof BaseSequencer {
  const placeOf = ({ moduleId }: TestSpecification): number => {
    const place = files.findIndex((file) => moduleId.endsWith(`/${file}`));
    return place === -1 ? files.length : place;
  };
  return class LongestFirst extends BaseSequencer {
    override async sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
      // oxlint-disable-next-line unicorn/no-array-sort -- the sequencer's method, not an array's
      const sorted = await super.sort(specifications);
      return sorted.toSorted(
        (left, right) =>
          left.project.config.sequence.groupOrder - right.project.config.sequence.groupOrder ||
          placeOf(left) - placeOf(right),
      );
    }
  };
}
