import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What no fault of a run can cause: a statement that the database refuses, a broken invariant of the program. */
const defectPattern = /"code":"MILLRACE_DATABASE_FAILED"|Invariant broken/;
const messagePattern = /"message":"([^"]*)"/;

/** What the processes of a run logged that speaks of a defect in the program, each text once. */
export function readDefects(directory: string): readonly string[] {
  const defects = new Map<string, string>();
  for (const name of readdirSync(directory).filter((file) => file.endsWith('.log'))) {
    for (const line of readFileSync(join(directory, name), 'utf8').split('\n')) {
      if (!defectPattern.test(line)) continue;
      const message = messagePattern.exec(line)?.[1] ?? line;
      defects.set(message, defects.get(message) ?? `${name}: ${message}`);
    }
  }
  return [...defects.values()];
}
