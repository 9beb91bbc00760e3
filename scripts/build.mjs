/*
 * Makes dist/: the compiled sources, and beside them the database that embedded ones are copied from. The two do not
 * depend on each other, so they are made at the same time. Types are checked by `npm run check`, not here: the native
 * compiler turns each file into JavaScript by itself, and nothing is done when no source has changed. With `--declarations`,
 * for a package, it writes the types of all files as well, for which it has to read those of their imports.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = join(root, 'dist', '.built');
const settings = ['tsconfig.json', 'tsconfig.build.json', 'node_modules/typescript-native/package.json'];

/** Resolves with the exit code of one step, whose output is shown as it comes. */
function run(script, ...args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, script), ...args], { cwd: root, stdio: 'inherit' });
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}

/** The sources, as `tsconfig.build.json` names them, and what else decides how they are compiled; each with its size and time. */
function readInputs() {
  const { include } = JSON.parse(readFileSync(join(root, 'tsconfig.build.json'), 'utf8'));
  const inputs = new Map();
  const add = (path) => {
    const { size, mtimeMs } = statSync(join(root, path));
    inputs.set(path, `${size} ${mtimeMs}`);
  };
  for (const path of settings) add(path);
  for (const part of include) {
    if (part.endsWith('.ts')) add(part);
    else
      for (const entry of readdirSync(join(root, part), { recursive: true, withFileTypes: true }))
        if (entry.isFile() && isCompiled(entry.name))
          add(join(entry.parentPath, entry.name).slice(root.length));
  }
  return inputs;
}

function isCompiled(name) {
  return name.endsWith('.ts') && !name.endsWith('.d.ts') && !name.endsWith('.test.ts');
}

function outputOf(source) {
  return join(root, 'dist', source.replace(/\.ts$/, '.js'));
}

/** What the last build was made of; empty where that is not known. */
function readStamp() {
  try {
    return JSON.parse(readFileSync(stamp, 'utf8'));
  } catch {
    return { mode: '', inputs: {} };
  }
}

function exists(path) {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Compiles everything, unless nothing has changed. Resolves with an exit code. */
async function compile(mode) {
  const inputs = readInputs();
  const last = readStamp();
  const sources = [...inputs.keys()].filter((path) => path.endsWith('.ts'));
  const isSame =
    (last.mode === mode || last.mode === 'declarations') &&
    Object.keys(last.inputs).length === inputs.size &&
    [...inputs].every(([path, state]) => last.inputs[path] === state);
  if (isSame && sources.every((source) => exists(outputOf(source)))) return 0;
  rmSync(stamp, { force: true });
  const quick = ['--declaration', 'false', '--incremental', 'false', '--noResolve'];
  const options = mode === 'declarations' ? [] : quick;
  const code = await run(
    'node_modules/typescript-native/bin/tsc',
    '-p',
    'tsconfig.build.json',
    '--noCheck',
    ...options,
  );
  if (code !== 0) return code;
  for (const path of Object.keys(last.inputs)) if (!inputs.has(path)) removeOutputs(path);
  if (mode === 'declarations') removeHiddenTypes();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, JSON.stringify({ mode, inputs: Object.fromEntries(inputs) }));
  return 0;
}

/** Of a source that is there no more. */
function removeOutputs(source) {
  const output = outputOf(source);
  for (const path of [output, `${output}.map`, output.replace(/\.js$/, '.d.ts')])
    rmSync(path, { force: true });
}

/** The types of files that no entry of the package leads to: nobody can import them, and they are more than a megabyte. */
function removeHiddenTypes() {
  const folder = join(root, 'dist', 'src');
  const reached = new Set();
  const waiting = ['millrace', 'testing', 'client'].map((name) => join(folder, `${name}.d.ts`));
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (reached.has(file) || !exists(file)) continue;
    reached.add(file);
    for (const [, path] of readFileSync(file, 'utf8').matchAll(/(?:from |import\()["'](\.[^"']+)["']/g))
      waiting.push(join(dirname(file), path.replace(/\.[jt]s$/, '.d.ts')));
  }
  for (const name of readdirSync(folder, { recursive: true })) {
    const file = join(folder, name);
    if (name.endsWith('.d.ts') && !reached.has(file)) rmSync(file);
  }
}

const mode = process.argv.includes('--declarations') ? 'declarations' : 'javascript';
const codes = await Promise.all([compile(mode), run('scripts/make-pglite-template.ts')]);
process.exitCode = Math.max(...codes);
