import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const root = join(import.meta.dirname, '..', '..');
const skippedFolders = new Set(['node_modules', '.git', 'dist', 'coverage', '.millrace']);
const textEnding =
  /\.(?:ts|mjs|js|json|jsonc|md|sql|ya?ml|xml|html|css|sh|txt|toml)$|(?:^|\/)(?:LICENSE|Dockerfile|run|\.[a-z]+(?:rc|ignore|config|attributes))$/;

/** One text file of the repository. */
export interface RepositoryFile {
  /** From the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

/** Every text file of the repository that a person wrote or a generator made, without installed packages. */
export function repositoryFiles(): RepositoryFile[] {
  return walk(root)
    .filter((path) => textEnding.test(path) && path !== 'package-lock.json')
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

function walk(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return skippedFolders.has(entry.name) ? [] : walk(join(folder, entry.name));
    return entry.isFile() ? [relative(root, join(folder, entry.name)).replaceAll('\\', '/')] : [];
  });
}
