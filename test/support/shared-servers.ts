import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where servers keep their data that several files share; removed when the tests have ended. */
    readonly sharedServers: string;
  }
}

/** Before the first file of a project. Vitest ends its workers without a chance to tidy up; their servers die with them. */
export default function prepare(project: TestProject): () => void {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-shared-'));
  // Servers may run as another user.
  chmodSync(directory, 0o755);
  project.provide('sharedServers', directory);
  return () => rmSync(directory, { recursive: true, force: true, maxRetries: 10 });
}
