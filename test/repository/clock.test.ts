import { describe, expect, it } from 'vitest';
import { repositoryFiles } from './repository-files.ts';

/** The machine's time, asked for or waited for without a Clock. Turns of the event loop (setImmediate) are no time. */
const machineTime =
  /\b(?:setTimeout|setInterval|Date\.now|performance\.now|process\.hrtime|AbortSignal\.timeout)\b|\bnew Date\(\)/;

/** Where the machine's time is meant. */
const allowed: Readonly<Record<string, string>> = {
  'src/kernel/clock.ts': 'is the clock of the machine',
  'src/http/when-answered.ts': 'tells Node how long a connection may be idle, which only a socket knows',
  'src/client/client-clock.ts': 'is the same for callers, who have nothing of the host',
};

describe('time', () => {
  it('comes from a Clock, so that tests can set it', () => {
    const found = repositoryFiles()
      .filter(({ path }) => /^src\/.*\.ts$/.test(path) && !path.endsWith('.test.ts'))
      .flatMap(({ path, text }) =>
        text
          .split('\n')
          .map((line, index) => ({ place: `${path}:${index + 1}`, path, line }))
          .filter(({ line }) => machineTime.test(line) && !/^\s*(?:\/\*|\*|\/\/)/.test(line)),
      );
    expect(found.filter(({ path }) => !(path in allowed)).map(({ place }) => place)).toEqual([]);
    expect(new Set(found.map(({ path }) => path))).toEqual(new Set(Object.keys(allowed)));
  });
});
