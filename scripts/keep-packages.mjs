/*
 * Makes dependencies of the named development dependencies, in package.json here, so that `npm prune --omit=dev` keeps them
 * in the versions that are installed. For the build of the image, on its copy of the repository.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const path = fileURLToPath(new URL('../package.json', import.meta.url));
const manifest = JSON.parse(readFileSync(path, 'utf8'));
for (const name of process.argv.slice(2)) {
  const version = manifest.devDependencies[name];
  if (version === undefined) throw new Error(`${name} is no development dependency`);
  manifest.dependencies[name] = version;
  delete manifest.devDependencies[name];
}
writeFileSync(path, `${JSON.stringify(manifest, null, 2)}\n`);
