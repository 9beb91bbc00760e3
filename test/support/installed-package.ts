import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { builtCommand } from './built-package.ts';

const root = join(import.meta.dirname, '..', '..');
const maxOutputBytes = 32 * 1024 * 1024;

/** What a program printed before it ended with 0. */
export interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

/** What `npm pack` says of a tarball. */
export interface Tarball {
  readonly file: string;
  readonly sizeBytes: number;
  readonly paths: readonly string[];
}

/**
 * An empty project of a user, with the package installed from its tarball. Programs in it see this process's Node first
 * on the path and none of Millrace's or the providers' variables but those a test gives.
 */
export class InstalledPackage {
  readonly directory: string;
  readonly tarball: Tarball;
  readonly #children = new Set<ChildProcess>();

  private constructor(directory: string, tarball: Tarball) {
    this.directory = directory;
    this.tarball = tarball;
  }

  /** Builds and packs the repository, then runs the given `npm install …` with the tarball in the place of `millrace`. */
  static async create(installCommand: string): Promise<InstalledPackage> {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-package-'));
    await builtCommand();
    const packed = await runIn(root, 'npm', [
      'pack',
      '--ignore-scripts',
      '--json',
      '--pack-destination',
      directory,
    ]);
    const tarball = parsePacked(packed.stdout, directory);
    const installed = new InstalledPackage(directory, tarball);
    installed.write('package.json', JSON.stringify({ name: 'project', private: true, type: 'module' }));
    const [npm, ...words] = installCommand.split(' ');
    if (npm !== 'npm' || !words.includes('millrace'))
      throw new Error(`"${installCommand}" does not install millrace`);
    const args = words.map((word) => (word === 'millrace' ? tarball.file : word));
    await installed.run('npm', [...args, '--prefer-offline', '--no-audit', '--no-fund']);
    return installed;
  }

  write(path: string, text: string): void {
    writeFileSync(join(this.directory, path), text);
  }

  read(path: string): string {
    return readFileSync(join(this.directory, path), 'utf8');
  }

  /** Lets the project use one of the repository's development packages. */
  link(name: string): void {
    symlinkSync(join(root, 'node_modules', name), join(this.directory, 'node_modules', name));
  }

  /** Runs a program to its end. Throws with what it printed unless it ends with 0. */
  run(program: string, args: readonly string[], environment: Record<string, string> = {}): Promise<Output> {
    return runIn(this.directory, program, args, environment);
  }

  /**
   * Compiles the project by its tsconfig.json, with a TypeScript of the repository's and its types of Node, into out/. The
   * native compiler takes a fifth of the CPU time.
   */
  compile(compiler: 'typescript' | 'typescript-native' = 'typescript-native'): Promise<Output> {
    const compilerOptions = { typeRoots: [join(root, 'node_modules', '@types')], outDir: 'out' };
    this.write(
      'tsconfig.test.json',
      JSON.stringify({ extends: './tsconfig.json', exclude: ['node_modules', 'out'], compilerOptions }),
    );
    return this.run(process.execPath, [
      join(root, 'node_modules', compiler, 'bin', 'tsc'),
      '-p',
      'tsconfig.test.json',
    ]);
  }

  /** Starts a program that goes on, and resolves with its first line that matches. `close` ends it. */
  async start(args: readonly string[], line: RegExp): Promise<RegExpExecArray> {
    const child = spawn(process.execPath, args, {
      cwd: this.directory,
      env: environmentOf({}),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#children.add(child);
    for await (const text of createInterface(child.stdout)) {
      const found = line.exec(text);
      if (found !== null) return found;
    }
    throw new Error(`${args.join(' ')} ended without printing ${line}`);
  }

  async close(): Promise<void> {
    for (const child of this.#children) {
      const ended = new Promise((resolve) => child.once('close', resolve));
      if (child.kill('SIGTERM')) await ended;
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}

async function runIn(
  cwd: string,
  program: string,
  args: readonly string[],
  environment: Record<string, string> = {},
): Promise<Output> {
  try {
    const options = { cwd, env: environmentOf(environment), maxBuffer: maxOutputBytes };
    return await promisify(execFile)(program, args, options);
  } catch (error) {
    const { stdout = '', stderr = '' } = error as Partial<Output>;
    throw new Error(`${program} ${args.join(' ')} failed:\n${stdout}\n${stderr}`, { cause: error });
  }
}

const foreignVariables =
  /^(?:VITEST|(?:MILLRACE|OPENAI|ANTHROPIC|OTEL|VITEST|npm)_.*|NODE_(?:ENV|OPTIONS|CHANNEL_.*))$/;

function environmentOf(given: Record<string, string>): Record<string, string | undefined> {
  const kept = Object.entries(process.env).filter(([name]) => !foreignVariables.test(name));
  const path = `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}`;
  return { ...Object.fromEntries(kept), PATH: path, ...given };
}

function parsePacked(json: string, directory: string): Tarball {
  // npm 11 prints a list, npm 12 an object by package name.
  const printed: unknown = JSON.parse(json);
  const [packed] = Object.values(printed as object) as {
    filename: string;
    size: number;
    files: { path: string }[];
  }[];
  if (packed === undefined) throw new Error(`npm pack printed no package: ${json}`);
  return {
    file: join(directory, packed.filename),
    sizeBytes: packed.size,
    paths: packed.files.map(({ path }) => path),
  };
}
