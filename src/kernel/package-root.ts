import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { invariant } from './invariant.ts';

/*
 * Files that are not compiled (migrations, documents) are found from the package's root, because this
 * module may run from src/, from dist/src/ or from an installed package.
 */

const packageName = 'millrace';

/** The directory of the package that holds this module: the nearest one upwards whose package.json has its name. */
export function packageRoot(from: string = import.meta.dirname): string {
  let directory = from;
  while (!isRoot(directory)) {
    const parent = dirname(directory);
    invariant(parent !== directory, `a package.json of "${packageName}" stands above ${from}`);
    directory = parent;
  }
  return directory;
}

function isRoot(directory: string): boolean {
  const manifest = join(directory, 'package.json');
  if (!existsSync(manifest)) return false;
  const parsed: unknown = JSON.parse(readFileSync(manifest, 'utf8'));
  return typeof parsed === 'object' && parsed !== null && 'name' in parsed && parsed.name === packageName;
}
