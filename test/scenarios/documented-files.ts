import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/kernel/package-root.ts';

/** What users copy from. */
const document = readFileSync(join(packageRoot(), 'docs', 'stages.md'), 'utf8');

/** What the pattern's group finds in docs/stages.md. */
export function fromDocument(pattern: RegExp, what: string): string {
  const found = pattern.exec(document)?.[1];
  if (found === undefined) throw new Error(`docs/stages.md shows no ${what}`);
  return found;
}

/** Its block of code whose first line names this file. */
export function documentedFile(name: string): string {
  return fromDocument(
    new RegExp(`^\`\`\`(?:ts|jsonc)\\n(// ${name.replaceAll('.', String.raw`\.`)}\\n.*?)^\`\`\`$`, 'ms'),
    `file ${name}`,
  );
}
