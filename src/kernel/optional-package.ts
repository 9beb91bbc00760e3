import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { join } from 'node:path';
import { AppError } from './app-error.ts';
import { packageRoot } from './package-root.ts';

/*
 * Heavy packages are optional peers: who does not use them does not install them. They are imported where the configuration
 * asks for them, and only there.
 */

/**
 * Imports what needs packages that may not be installed. Throws MILLRACE_PACKAGE_MISSING, with the command that installs
 * all of them, when one of them is missing.
 */
export async function loadOptional<Module>(
  what: string,
  packages: readonly string[],
  load: () => Promise<Module>,
): Promise<Module> {
  try {
    return await load();
  } catch (error) {
    if (!isMissing(error, packages)) throw error;
    throw new AppError(
      'MILLRACE_PACKAGE_MISSING',
      `${what} needs what is not installed here. Install it with: ${installCommand(packages)}`,
      { cause: error },
    );
  }
}

function isMissing(error: unknown, packages: readonly string[]): boolean {
  if (!(error instanceof Error) || !('code' in error) || error.code !== 'ERR_MODULE_NOT_FOUND') return false;
  return packages.some((name) => error.message.includes(`'${name}'`) || error.message.includes(`'${name}/`));
}

/** The version of a package that is installed here; undefined when it is not. */
export function installedVersion(name: string): string | undefined {
  try {
    const path = findPackageJSON(name, import.meta.url);
    if (path === undefined) return undefined;
    const { version } = JSON.parse(readFileSync(path, 'utf8')) as { readonly version?: string };
    return version;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

/** The command that installs packages, in the versions that this version of Millrace was tested with or newer ones that fit. */
export function installCommand(packages: readonly string[]): string {
  const manifest = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as {
    readonly peerDependencies: Readonly<Record<string, string>>;
  };
  const named = packages.map((name) => `${name}@${manifest.peerDependencies[name] ?? 'latest'}`);
  return `npm install ${named.map((each) => `"${each}"`).join(' ')}`;
}
