import { BaseSequencer, type TestSpecification, type Vitest } from 'vitest/node';

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
    constructor(vitest: Vitest) {
      super(vitest);
    }

    override async sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
      const sorted = await super.sort(specifications);
      return sorted.toSorted(
        (left, right) =>
          left.project.config.sequence.groupOrder - right.project.config.sequence.groupOrder ||
          placeOf(left) - placeOf(right),
      );
    }
  };
}
