import { spawnSync } from 'node:child_process';
import { accessSync, constants, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/*
 * Suites over real servers need programs of the machine. They are looked for, installed from Debian's packages
 * where that is allowed (root, apt-get), and otherwise the suite is skipped with its reason in words. With CI=true or
 * MILLRACE_REQUIRE_SERVERS=1 a missing program is a failure.
 */

/** A program that a suite needs: where it is, or why it is not there. */
export type RequiredProgram =
  | { readonly kind: 'found'; readonly directory: string }
  | { readonly kind: 'missing'; readonly reason: string };

/** PostgreSQL's programs (initdb, postgres). */
export const postgresPrograms: () => RequiredProgram = once(() =>
  provide('PostgreSQL', 'postgresql', () => directoryWith('postgres', debianPostgresDirectories())),
);

/** redis-server. */
export const redisPrograms: () => RequiredProgram = once(() =>
  provide('Redis', 'redis-server', () => directoryWith('redis-server', [])),
);

/** pgbouncer, a pooler of connections to PostgreSQL. */
export const pgbouncerPrograms: () => RequiredProgram = once(() =>
  provide('PgBouncer', 'pgbouncer', () => directoryWith('pgbouncer', [])),
);

/** prometheus and promtool. */
export const prometheusPrograms: () => RequiredProgram = once(() =>
  provide('Prometheus', 'prometheus', () => directoryWith('prometheus', [])),
);

/** prometheus-alertmanager (the package and the program have this name) and amtool. */
export const alertmanagerPrograms: () => RequiredProgram = once(() =>
  provide('Alertmanager', 'prometheus-alertmanager', () => directoryWith('prometheus-alertmanager', [])),
);

/** chromium, which draws pages. */
export const chromiumPrograms: () => RequiredProgram = once(() =>
  provide('Chromium', 'chromium', () => directoryWith('chromium', [])),
);

/** curl. */
export const curlPrograms: () => RequiredProgram = once(() =>
  provide('curl', 'curl', () => directoryWith('curl', [])),
);

/** python3. */
export const pythonPrograms: () => RequiredProgram = once(() =>
  provide('Python', 'python3', () => directoryWith('python3', ['/usr/bin'])),
);

/** A node of version 20 or 22, which callers of Millrace may still have. Nothing is installed for it. */
export const olderNode: () => RequiredProgram = once(() => {
  const directory = executableDirectories().find((one) =>
    /^v2[02]\./.test(spawnSync(join(one, 'node'), ['--version'], { encoding: 'utf8' }).stdout ?? ''),
  );
  if (directory !== undefined) return { kind: 'found', directory };
  return { kind: 'missing', reason: 'Node 20 or 22 is needed, beside the one that runs the tests.' };
});

/** pngquant, which makes pictures small. */
export const pngquantPrograms: () => RequiredProgram = once(() =>
  provide('pngquant', 'pngquant', () => directoryWith('pngquant', [])),
);

/** docker-compose: the plugin of Docker's client (it runs without it), or Debian's package; no engine is needed. */
export const composePrograms: () => RequiredProgram = once(() =>
  provide('Docker Compose', 'docker-compose', () =>
    directoryWith('docker-compose', composePluginDirectories),
  ),
);

/**
 * Whether a suite can run: `describe.skipIf(!canRun(postgresPrograms()))`. Says on standard error what is skipped
 * and why; throws instead where nothing may be skipped.
 */
export function canRun(program: RequiredProgram): boolean {
  if (program.kind === 'found') return true;
  if (process.env['CI'] === 'true' || process.env['MILLRACE_REQUIRE_SERVERS'] === '1') {
    throw new Error(program.reason);
  }
  process.stderr.write(`SKIPPED: ${program.reason}\n`);
  return false;
}

/** The directory of a program that a suite has checked with canRun(). */
export function directoryOf(program: RequiredProgram): string {
  if (program.kind === 'missing') throw new Error(program.reason);
  return program.directory;
}

let mayInstall = true;

/** From here on nothing is installed: what is not there is missing. For programs that are no tests. */
export function installNothing(): void {
  mayInstall = false;
}

function provide(name: string, debianPackage: string, find: () => string | undefined): RequiredProgram {
  const directory = find();
  if (directory !== undefined) return { kind: 'found', directory };
  const failure = install(debianPackage);
  const installed = find();
  if (installed !== undefined) return { kind: 'found', directory: installed };
  return {
    kind: 'missing',
    reason: `${name} is needed: the package ${debianPackage} is not installed and ${failure ?? 'its programs were not found after the installation'}.`,
  };
}

// Only newly installed services are kept from starting; what runs already is left alone.
const installScript = `
  set -e
  package="$1"
  if ! test -e /usr/sbin/policy-rc.d; then
    printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  if test "$package" = postgresql && ! test -e /etc/postgresql-common/createcluster.conf; then
    mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf
  fi
  apt-get -q update
  apt-get -q install -y --no-install-recommends -o Dpkg::Options::=--force-confold "$package"
`;

/** Installs a Debian package; answers why it could not. */
function install(debianPackage: string): string | undefined {
  if (!mayInstall) return 'this program installs nothing';
  if (process.getuid?.() !== 0) return 'it cannot be installed without root';
  if (spawnSync('apt-get', ['--version']).status !== 0) return 'there is no apt-get to install it';
  process.stderr.write(`Installing the package ${debianPackage} for the tests.\n`);
  // Test processes run side by side; one installs, the others wait for it.
  const lockFile = join(tmpdir(), 'millrace-test-install.lock');
  const result = spawnSync('flock', [lockFile, 'sh', '-c', installScript, 'install', debianPackage], {
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    timeout: 300_000,
  });
  if (result.status === 0) return undefined;
  const output = `${result.stdout}${result.stderr}`.trim().split('\n').slice(-3).join(' ');
  return `its installation failed: ${result.error?.message ?? output}`;
}

// Where Docker's client looks for plugins of all users.
const composePluginDirectories = ['/usr/local/lib', '/usr/local/libexec', '/usr/lib', '/usr/libexec'].map(
  (directory) => join(directory, 'docker', 'cli-plugins'),
);

function debianPostgresDirectories(): readonly string[] {
  const base = '/usr/lib/postgresql';
  try {
    const versions = readdirSync(base).toSorted((left, right) => Number(right) - Number(left));
    return versions.map((version) => join(base, version, 'bin'));
  } catch {
    // No such directory: nothing of it is installed.
    return [];
  }
}

function directoryWith(program: string, first: readonly string[]): string | undefined {
  return [...first, ...executableDirectories()].find((directory) => isExecutable(join(directory, program)));
}

function executableDirectories(): readonly string[] {
  return [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/usr/sbin'];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Absent or not ours to run: either way not this one.
    return false;
  }
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
