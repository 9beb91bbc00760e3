/*
 * Makes dist/: the compiled sources, and beside them the database that embedded ones are copied from. The two do not
 * depend on each other, so they are made at the same time. Types are checked by `npm run check`, not here: the native
 * compiler writes all files in a second or two, and only what changed after that.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Resolves with the exit code of one step, whose output is shown as it comes. */
function run(script, ...args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, script), ...args], { cwd: root, stdio: 'inherit' });
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}

const codes = await Promise.all([
  run('node_modules/typescript-native/bin/tsc', '-p', 'tsconfig.build.json', '--noCheck'),
  run('scripts/make-pglite-template.ts'),
]);
process.exitCode = Math.max(...codes);
