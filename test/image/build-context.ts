import { cpSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';

/** Copies what a build is sent: everything of `root` that its .dockerignore lets through. */
export function copyBuildContext(root: string, target: string): readonly string[] {
  const allowed = readFileSync(join(root, '.dockerignore'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1));
  for (const path of allowed) {
    cpSync(join(root, path), join(target, path), {
      recursive: true,
      filter: (source) => !source.split(sep).includes('node_modules'),
    });
  }
  return allowed;
}
