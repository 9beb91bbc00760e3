import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/*
 * The statements that take rows, found by code: those that take them apart from one parameter. Statements are exported from
 * files named `*-sql.ts`, so that they can be found.
 */

const root = join(import.meta.dirname, '../..');
const takesRows = /json_to_recordset\(\$|unnest\(\$/;

/** The names of all statements that take rows. */
export async function statementsThatTakeRows(): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const file of glob('src/**/*-sql.ts', { cwd: root })) {
    const module = (await import(pathToFileURL(join(root, file)).href)) as Record<string, unknown>;
    for (const value of Object.values(module)) {
      if (isStatement(value) && takesRows.test(value.text)) names.push(value.name);
    }
  }
  return names.toSorted();
}

/** Files with such a statement where it would not be found. */
export async function filesThatHideStatements(): Promise<readonly string[]> {
  const files: string[] = [];
  for await (const file of glob('src/**/*.ts', { cwd: root })) {
    if (file.endsWith('.test.ts')) continue;
    const text = await readFile(join(root, file), 'utf8');
    const isHidden = file.endsWith('-sql.ts') ? /^const \w+ = named\(/m.test(text) : takesRows.test(text);
    if (isHidden) files.push(file);
  }
  return files.toSorted();
}

function isStatement(value: unknown): value is { readonly name: string; readonly text: string } {
  return typeof value === 'object' && value !== null && 'name' in value && 'text' in value;
}
