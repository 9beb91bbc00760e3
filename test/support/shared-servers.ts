import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where servers keep their data that several files share; removed when the tests have ended. */
    readonly sharedServers: string;
  }
}

/** Before the first file of a project. Vitest ends its workers without a chance to tidy up; their servers die with them. */
export default function prepare(project: TestProject): () => void {
  const { TMPDIR: temporary } = project.config.env;
  if (typeof temporary !== 'string') throw new Error(`${project.name} has a folder for temporary files`);
  if (process.platform === 'linux') removeFoldersOfDead(temporary);
  const directory = join(temporary, 'shared');
  mkdirSync(directory, { recursive: true });
  // Servers may run as another user.
  for (const each of [temporary, directory]) chmodSync(each, 0o755);
  project.provide('sharedServers', directory);
  return () => rmSync(temporary, { recursive: true, force: true, maxRetries: 10 });
}

/** What runs left that were killed: it may lie in memory. Their folders are named like this run's, with another process. */
function removeFoldersOfDead(temporary: string): void {
  const parent = dirname(temporary);
  const prefix = basename(temporary).replace(/\d+$/, '');
  for (const name of readdirSync(parent)) {
    const pid = name.startsWith(prefix) ? name.slice(prefix.length) : '';
    if (/^\d+$/.test(pid) && !existsSync(`/proc/${pid}`))
      rmSync(join(parent, name), { recursive: true, force: true, maxRetries: 10 });
  }
}
