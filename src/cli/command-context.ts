import type { Command } from 'commander';
import { loadConfiguration } from '../host/load-configuration.ts';
import type { Configuration, ConfigurationInput } from '../host/configuration.ts';
import type { Clock } from '../kernel/clock.ts';
import { shownText } from '../terminal/shown-text.ts';

/** What a command works with from outside. */
export interface CommandContext {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Results, and nothing else. */
  readonly stdout: NodeJS.WritableStream;
  /** Progress, hints and errors. */
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly clock: Clock;
  /** Is told the name of the command of the first level before it runs. */
  readonly beforeCommand?: (name: string) => void;
}

/** Exit codes: what was asked for is so, it failed or is not so, the command was not understood. */
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

/** The configuration from file, environment and options. Throws MILLRACE_CONFIG_INVALID. */
export function configurationOf(
  { environment }: CommandContext,
  { config, data }: StoreOptions,
  more: ConfigurationInput = {},
): Configuration {
  return loadConfiguration({
    environment,
    ...(config === undefined ? {} : { file: config }),
    options: { ...more, ...(data === undefined ? {} : { dataDirectory: data }) },
  });
}

/** Writes one line of result, control characters escaped. */
export function print({ stdout }: CommandContext, line: string): void {
  stdout.write(`${shownText(line)}\n`);
}

/** Writes one line for the person at the terminal, which no program reads; control characters escaped. */
export function tell({ stderr }: CommandContext, line: string): void {
  stderr.write(`${shownText(line)}\n`);
}
