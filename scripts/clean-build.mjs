/* Removes what earlier builds left, so that nothing of a deleted source is packed. The database templates stay. */
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

for (const part of ['src', 'examples', 'dashboards', 'scripts', 'test', '.built', '.tsbuildinfo']) {
  rmSync(fileURLToPath(new URL(`../dist/${part}`, import.meta.url)), { recursive: true, force: true });
}
