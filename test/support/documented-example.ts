import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const docs = join(import.meta.dirname, '..', '..', 'docs');

/** The code after the line `<!-- example: NAME -->` of a document. */
export function documentedExample(document: string, name: string): string {
  const text = readFileSync(join(docs, document), 'utf8');
  const [, after] = text.split(`<!-- example: ${name} -->`);
  const code = /^\s*```[a-z]+\n([\s\S]*?)\n```/.exec(after ?? '')?.[1];
  if (code === undefined) throw new Error(`${document} has no example "${name}"`);
  return code;
}
