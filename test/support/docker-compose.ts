import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { composePrograms, directoryOf } from './required-programs.ts';

const execute = promisify(execFile);

export interface ComposeConfigOptions {
  /** The directory with docker-compose.yml. */
  readonly project: string;
  /** For the file that is read, and as home. */
  readonly scratch: string;
  readonly profiles: readonly string[];
  /** What .env would hold; nothing else is in the environment. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Asked once: the program takes half a second to start. */
let version: Promise<string> | undefined;

/** What `docker compose config` prints: the stack with everything resolved. Rejects, with its stderr, when it is not valid. */
export async function composeConfig({
  project,
  scratch,
  profiles,
  environment,
}: ComposeConfigOptions): Promise<string> {
  const program = join(directoryOf(composePrograms()), 'docker-compose');
  version ??= execute(program, ['version', '--short']).then(({ stdout }) => stdout);
  const text = readFileSync(join(project, 'docker-compose.yml'), 'utf8');
  const file = join(scratch, 'docker-compose.yml');
  // Compose 1 (Debian 12) is older than the project's name in the file, and reads all the rest.
  writeFileSync(file, (await version).startsWith('1.') ? text.replace(/^name: .*\n/m, '') : text);
  const { stdout } = await execute(program, ['--file', file, '--project-directory', project, 'config'], {
    env: {
      PATH: process.env['PATH'],
      HOME: scratch,
      COMPOSE_PROFILES: profiles.join(','),
      ...environment,
    },
  });
  return stdout;
}
