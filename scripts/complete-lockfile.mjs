/*
 * Puts optional packages of other platforms into package-lock.json that npm left out, because the registry it asked
 * did not have them: without them `npm ci` refuses the lock file. Run it after every `npm install`.
 *
 * Every entry must have its integrity, or npm would install whatever it is given. Those that a registry did not have when they
 * were added get it by `npm install --package-lock-only` from one that has them, after their entries were deleted. The few that
 * no registry here offers are named below; they are fetched on their own platform only.
 *
 *   node scripts/complete-lockfile.mjs [--check]
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const path = fileURLToPath(new URL('../package-lock.json', import.meta.url));
const lock = JSON.parse(readFileSync(path, 'utf8'));
const systems = [
  'darwin',
  'win32',
  'linux',
  'android',
  'freebsd',
  'openbsd',
  'netbsd',
  'sunos',
  'aix',
  'openharmony',
];
const processors = [
  'arm64',
  'x64',
  'arm',
  'ia32',
  'riscv64',
  'ppc64',
  's390x',
  'loong64',
  'mips64el',
  'wasm32',
];

const withoutIntegrity = new Set(
  ['darwin-arm64', 'darwin-x64', 'linux-arm64-gnu'].map((platform) => `node_modules/@chdb/lib-${platform}`),
);

/** Whether the lock file has the package where Node would look for it from a place in the tree. */
function isLocked(place, name) {
  for (let folder = place; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    if (`${folder === '' ? '' : `${folder}/`}node_modules/${name}` in lock.packages) return true;
    if (folder === '') return false;
  }
}

/** "gnueabihf" and the like say nothing of the processor; the parts of the name do. */
function partOf(name, known) {
  const parts = name.split(/[^a-z0-9]+/);
  return known.find((each) => parts.includes(each));
}

const added = [];
for (const [place, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (isLocked(place, name)) continue;
    const os = partOf(name, systems);
    const cpu = partOf(name, processors);
    if (os === undefined && cpu === undefined) continue;
    lock.packages[`node_modules/${name}`] = {
      version: version.replace(/^[^\d]*/, ''),
      ...(cpu === undefined ? {} : { cpu: [cpu] }),
      ...(entry.dev === true ? { dev: true } : {}),
      optional: true,
      ...(os === undefined ? {} : { os: [os] }),
    };
    added.push(name);
  }
}

const unproven = Object.entries(lock.packages)
  .filter(([place, entry]) => place !== '' && entry.link !== true && !withoutIntegrity.has(place))
  .filter(([, { integrity }]) => !/^sha512-[A-Za-z0-9+/]{86}==/.test(integrity ?? ''))
  .map(([place]) => place);
if (unproven.length > 0) {
  console.error(
    `No integrity in the lock file: ${unproven.join(', ')}. The head of this script says what to do.`,
  );
  process.exitCode = 1;
}
if (added.length === 0) {
  console.log('The lock file names every platform.');
} else if (process.argv.includes('--check')) {
  console.error(`The lock file leaves out ${added.join(', ')}: run node scripts/complete-lockfile.mjs.`);
  process.exitCode = 1;
} else {
  lock.packages = Object.fromEntries(
    Object.entries(lock.packages).toSorted(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0)),
  );
  writeFileSync(path, `${JSON.stringify(lock, undefined, 2)}\n`);
  console.log(`Added ${added.length}: ${added.join(', ')}`);
}
