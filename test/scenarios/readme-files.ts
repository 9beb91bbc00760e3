import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/kernel/package-root.ts';

const readme = readFileSync(join(packageRoot(), 'README.md'), 'utf8');

/** What the pattern's group finds in the README. */
export function fromReadme(pattern: RegExp, what: string): string {
  const found = pattern.exec(readme)?.[1];
  if (found === undefined) throw new Error(`README.md shows no ${what}`);
  return found;
}

/** The README's block of code whose first line names this file. */
export function readmeFile(name: string): string {
  return fromReadme(
    new RegExp(`^\`\`\`(?:ts|jsonc)\\n(// ${name.replaceAll('.', String.raw`\.`)}\\n.*?)^\`\`\`$`, 'ms'),
    `file ${name}`,
  );
}
