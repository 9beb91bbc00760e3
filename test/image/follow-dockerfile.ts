import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, isAbsolute, join } from 'node:path';
import { copyBuildContext } from './build-context.ts';
import { type BuildStage, execForm, parseDockerfile } from './dockerfile.ts';

/*
 * Follows the Dockerfile without a container engine: each stage gets a directory that stands for its root, RUN runs on
 * this machine with the paths of the image led there, COPY copies. The base image's Node is the project's own. What it
 * cannot show is the base image itself; what it shows is that the instructions work and that their result starts.
 */

/** The image as it came out: its root directory, and how it is started. */
export interface FollowedImage {
  readonly root: string;
  readonly entrypoint: readonly string[];
  readonly workDirectory: string;
  readonly user: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** The uid of "node" in the official image. */
export const nodeUserId = 1000;

interface StageState {
  readonly root: string;
  workDirectory: string;
  user: string;
  entrypoint: readonly string[];
  environment: Record<string, string>;
}

export interface FollowOptions {
  /** The project. */
  readonly project: string;
  /** An empty directory for the stages' roots. */
  readonly directory: string;
  readonly say: (line: string) => void;
}

/** Follows every stage; answers the last one. */
export function followDockerfile({ project, directory, say }: FollowOptions): FollowedImage {
  const { stages } = parseDockerfile(readFileSync(join(project, 'Dockerfile'), 'utf8'));
  const context = join(directory, 'context');
  mkdirSync(context);
  copyBuildContext(project, context);
  const node = join(directory, 'bin', 'node');
  mkdirSync(join(directory, 'bin'));
  copyFileSync(process.execPath, node);
  const done = new Map<string, StageState>();
  let last: StageState | undefined;
  for (const [index, stage] of stages.entries()) {
    checkBase(stage, project);
    const state = newState(join(directory, `stage-${index}`));
    for (const { name, text } of stage.instructions) {
      say(`${name} ${text}`);
      follow(name, text, { state, context, done, binDirectory: join(directory, 'bin') });
    }
    if (stage.name !== undefined) done.set(stage.name, state);
    last = state;
  }
  if (last === undefined) throw new Error('the Dockerfile has no stage');
  return last;
}

function newState(root: string): StageState {
  mkdirSync(root);
  for (const path of ['var/lib', 'tmp']) mkdirSync(join(root, path), { recursive: true });
  return { root, workDirectory: '/', user: 'root', entrypoint: [], environment: {} };
}

/** The base must be the Node that the project pins, which is the one this runs on. */
function checkBase({ base }: BuildStage, project: string): void {
  const { devDependencies } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as {
    readonly devDependencies: { readonly node: string };
  };
  if (!base.startsWith(`node:${devDependencies.node}-`))
    throw new Error(`FROM ${base} is not the project's Node`);
}

interface FollowScope {
  readonly state: StageState;
  readonly context: string;
  readonly done: ReadonlyMap<string, StageState>;
  readonly binDirectory: string;
}

function follow(name: string, text: string, scope: FollowScope): void {
  const { state } = scope;
  switch (name) {
    case 'WORKDIR':
      state.workDirectory = text;
      mkdirSync(join(state.root, text), { recursive: true });
      return;
    case 'ENV': {
      const [key = '', value = ''] = text.split('=', 2);
      state.environment[key] = value;
      return;
    }
    case 'USER':
      state.user = text;
      return;
    case 'ENTRYPOINT':
      state.entrypoint = execForm(text);
      return;
    case 'CMD':
      execForm(text);
      return;
    case 'COPY':
      copy(text, scope);
      return;
    case 'RUN':
      run(text, scope);
      return;
    default:
      throw new Error(`cannot follow ${name}`);
  }
}

function copy(text: string, { state, context, done }: FollowScope): void {
  const words = text.split(/\s+/);
  const from = words[0]?.startsWith('--from=') === true ? words.shift()?.slice('--from='.length) : undefined;
  const target = words.pop() ?? '';
  const stage = from === undefined ? undefined : done.get(from);
  if (from !== undefined && stage === undefined)
    throw new Error(`COPY --from=${from}: there is no such stage`);
  const sourceRoot = stage?.root ?? context;
  const place = join(state.root, isAbsolute(target) ? target : join(state.workDirectory, target));
  for (const source of words) {
    const path = join(sourceRoot, source);
    if (!existsSync(path)) throw new Error(`COPY ${source}: it is not there`);
    const isInto = words.length > 1 || target.endsWith('/') || (source !== '.' && target === '.');
    cpSync(path, isInto ? join(place, basename(source)) : place, { recursive: true, verbatimSymlinks: true });
  }
}

function run(text: string, { state, binDirectory }: FollowScope): void {
  // Absolute paths of the image, where a command names them, are led to the stage's root.
  const command = text
    .replaceAll(/(?<=^|[\s=])\/(?=app|var\/lib)/g, `${state.root}/`)
    .replaceAll(/chown node:node/g, `chown ${nodeUserId}:${nodeUserId}`);
  execFileSync('/bin/sh', ['-euc', command], {
    cwd: join(state.root, state.workDirectory),
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...Object.fromEntries(
        Object.entries(process.env).filter(([key]) => !/^(?:npm_|NODE_ENV|NODE_OPTIONS|MILLRACE_)/.test(key)),
      ),
      ...state.environment,
      PATH: `${binDirectory}:/usr/local/bin:/usr/bin:/bin`,
    },
  });
}

/** Lets the image's user read it, as in a container; what it may write is what the Dockerfile gave it. */
export function openForUser(directory: string, temporary: string): void {
  chmodSync(directory, 0o755);
  chownSync(temporary, nodeUserId, nodeUserId);
}
