/*
 * Runs every static check, one after another, and says at the end which failed. Plain JavaScript without
 * packages, so that it also explains itself on a machine where something is missing.
 *
 *   node scripts/check.mjs               all checks
 *   node scripts/check.mjs --only lint   one (repeat the option for more)
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const tools = join(root, 'node_modules', '.bin');
const cruised = ['src', 'test', 'bench', 'examples', 'dashboards', 'scripts'].filter((folder) =>
  existsSync(join(root, folder)),
);

const checks = [
  { name: 'format', command: 'prettier', args: ['--check', '--log-level', 'warn', '.'] },
  { name: 'lint', command: 'oxlint', args: ['--type-aware', '--deny-warnings'] },
  // With declarations, which the build writes and which fail where a type cannot be named.
  {
    name: 'types',
    command: 'node',
    args: ['node_modules/typescript-native/bin/tsc', '-p', 'tsconfig.json', '--declaration'],
  },
  // A program for browsers, whose types are not those of Node.
  {
    name: 'page-types',
    command: 'node',
    args: ['node_modules/typescript-native/bin/tsc', '-p', 'examples/chat/page/tsconfig.json'],
  },
  { name: 'boundaries', command: 'depcruise', args: ['--config', '.dependency-cruiser.mjs', ...cruised] },
  { name: 'dead-code', command: 'knip', args: ['--no-progress'] },
  { name: 'generated', command: 'node', args: ['scripts/generate.ts', '--check'] },
  { name: 'lockfile', command: 'node', args: ['scripts/complete-lockfile.mjs', '--check'] },
];

/** Runs one command with the project's own tools first on the path; resolves with its exit code and output. */
function run({ command, args }) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, PATH: `${tools}${delimiter}${process.env.PATH ?? ''}` },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const collect = (chunk) => {
      output += chunk;
    };
    child.stdout.setEncoding('utf8').on('data', collect);
    child.stderr.setEncoding('utf8').on('data', collect);
    child.on('error', (error) =>
      resolve({ code: 127, output: `${command} cannot be started: ${error.message}` }),
    );
    child.on('close', (code, signal) =>
      resolve({ code: code ?? 1, output: signal ? `${output}\nended by ${signal}` : output }),
    );
  });
}

function chosenChecks(argv) {
  const names = [];
  for (let index = 0; index < argv.length; index += 2) {
    const name = argv[index + 1];
    if (argv[index] !== '--only' || !checks.some((check) => check.name === name)) {
      console.error(`usage: node scripts/check.mjs [--only ${checks.map((check) => check.name).join('|')}]`);
      process.exit(2);
    }
    names.push(name);
  }
  return names.length === 0 ? checks : checks.filter((check) => names.includes(check.name));
}

const failures = [];
for (const check of chosenChecks(process.argv.slice(2))) {
  const startedMs = performance.now();
  const { code, output } = await run(check);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(`${code === 0 ? 'ok  ' : 'FAIL'}  ${check.name.padEnd(12)} ${seconds.padStart(6)} s`);
  if (code !== 0) failures.push({ check, output });
}
for (const { check, output } of failures) {
  console.error(`\n── ${check.name}: ${check.command} ${check.args.join(' ')}\n${output.trim()}`);
}
if (failures.length > 0) {
  console.error(`\n${failures.length} failed: ${failures.map(({ check }) => check.name).join(', ')}`);
  process.exitCode = 1;
}
