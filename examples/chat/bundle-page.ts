import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rolldown } from 'rolldown';

/* Makes the page's program, with React in it, as one file. Any other bundler does as well. */

/** What React asks for its mode. */
const mode = ['process', 'env', 'NODE_ENV'].join('.');

/** The program of the page in a folder. */
export async function bundlePage(folder: string): Promise<string> {
  const built = await rolldown({
    input: join(folder, 'main.tsx'),
    platform: 'browser',
    transform: { define: { [mode]: '"production"' } },
    logLevel: 'silent',
  });
  const { output } = await built.generate({ format: 'iife', minify: true });
  await built.close();
  return output[0].code;
}

/** The page itself, without its program. */
export async function pageHtml(folder: string): Promise<string> {
  return await readFile(join(folder, 'page.html'), 'utf8');
}
