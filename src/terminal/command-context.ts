import type { Command } from 'commander';
import type { Clock } from '../kernel/clock.ts';
import type { Installation } from './installation.ts';
import { shownText } from './shown-text.ts';

/** What a program gives to its commands. */
export interface CommandSurroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Results, and nothing else. */
  readonly stdout: NodeJS.WritableStream;
  /** Progress, hints and errors. */
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly clock: Clock;
  /** Called with the name of the command of the first level before it runs. */
  readonly beforeCommand?: (name: string) => void;
}

/** What a command works with. `Settings` is what it reads of the configuration. */
export interface CommandContext<Settings = unknown> extends CommandSurroundings {
  /** The installation that the options name. Throws MILLRACE_CONFIG_INVALID. */
  installation(options: StoreOptions): Promise<Installation<Settings>>;
}

/** Exit codes of all commands: what was asked for is so; it failed or is not so; the command line is wrong, and nothing was done. */
export const exitCodes = { ok: 0, failed: 1, usage: 2 } as const;

/** What a command's action answers: the exit code. */
export type CommandAction<Arguments extends readonly unknown[]> = (...args: Arguments) => Promise<number>;

/** Binds an action to a command so that its exit code becomes the program's. */
export type Bind = <Arguments extends readonly unknown[]>(
  action: CommandAction<Arguments>,
) => (...args: Arguments) => Promise<void>;

/** The options of every command that works on stores. */
export interface StoreOptions {
  readonly config?: string;
  readonly data?: string;
}

/** Adds `--config` and `--data`. */
export function withStoreOptions(command: Command): Command {
  return command
    .option('--config <file>', 'JSON configuration file; the environment and options come before it')
    .option('--data <directory>', 'data directory of an embedded installation');
}

/** Writes one line of result, control characters escaped. */
export function print({ stdout }: Pick<CommandSurroundings, 'stdout'>, line: string): void {
  stdout.write(`${shownText(line)}\n`);
}

/** Writes one line for the person at the terminal, which no program reads; control characters escaped. */
export function tell({ stderr }: Pick<CommandSurroundings, 'stderr'>, line: string): void {
  stderr.write(`${shownText(line)}\n`);
}
