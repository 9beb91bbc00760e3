import type { Command } from 'commander';
import { AppError, type Fault } from '../kernel/app-error.ts';

/** What is wrong with a command line, in its own words. */
export interface OptionFaults {
  readonly text: string;
  readonly todo: string;
}

/** Whether the command line is what is wrong: a command makes no other request than that of its options. */
export function isWrongUsage(error: unknown): error is AppError {
  return error instanceof AppError && error.code === 'MILLRACE_REQUEST_INVALID';
}

/**
 * The faults of a request that a command made of its command line, with the names of its options instead of the API's
 * fields: "--group-by: is any of …" for `group_by`. Undefined for any other error.
 */
export function optionFaults(error: AppError, command: Command | undefined): OptionFaults | undefined {
  if (!isWrongUsage(error) || command === undefined) return undefined;
  return {
    text:
      error.faults.length === 0
        ? error.message
        : error.faults.map((fault) => faultText(fault, command)).join('; '),
    todo: `Correct what is named; "millrace ${pathOf(command)} --help" shows what is accepted.`,
  };
}

function faultText({ field, problem }: Fault, command: Command): string {
  return `${nameOf(field, command) ?? field}: ${problem}`;
}

function nameOf(field: string, command: Command): string | undefined {
  const argumentNames = new Set(command.registeredArguments.map((argument) => argument.name()));
  const flags = new Set(chainOf(command).flatMap((one) => one.options.map(({ long }) => long)));
  for (const segment of field.split('.')) {
    const word = segment.replaceAll('_', '-').replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    // An option that is given several times is one of a list: --scope of scopes.
    for (const name of [word, word.replace(/s$/, '')]) {
      if (flags.has(`--${name}`)) return `--${name}`;
      if (argumentNames.has(name)) return `<${name}>`;
    }
  }
  return undefined;
}

/** A message with the options of the command where it has the parameters of the API: "--form bare" for "form=bare", "--partial" for "partial=true". */
export function withOptions(message: string, command: Command | undefined): string {
  const options = command === undefined ? [] : chainOf(command).flatMap((one) => one.options);
  return message.replaceAll(
    /(?<![\w&?=-])(\w+)=(\w+)(?![\w&=-])/g,
    (pair: string, name: string, value: string) => {
      const option = options.find((one) => one.attributeName() === name);
      if (option?.long === undefined || option.long === null) return pair;
      if (option.isBoolean()) return value === 'true' ? option.long : pair;
      return `${option.long} ${value}`;
    },
  );
}

/** The command and those that it belongs to, the program last. */
function chainOf(command: Command): readonly Command[] {
  return command.parent === null ? [command] : [command, ...chainOf(command.parent)];
}

function pathOf(command: Command): string {
  return chainOf(command)
    .slice(0, -1)
    .map((one) => one.name())
    .toReversed()
    .join(' ');
}
