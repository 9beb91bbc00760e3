import type { Command } from 'commander';
import { AppError } from '../kernel/app-error.ts';
import { removeSecrets } from '../telemetry/known-secrets.ts';
import { optionFaults, withOptions } from './option-faults.ts';
import { shownText } from '../terminal/shown-text.ts';

export interface DescribeErrorOptions {
  /** Whether the stack is shown. */
  readonly verbose: boolean;
  /** The command that failed, whose options are then called by their names. */
  readonly command?: Command | undefined;
}

/** An error as the person at the terminal needs it: code, what happened, what to do; the stack only on demand, secrets and control characters never. */
export function describeError(error: unknown, { verbose, command }: DescribeErrorOptions): string {
  const lines = error instanceof AppError ? linesOf(error, command) : unexpected(error, verbose);
  if (verbose && error instanceof Error) lines.push(error.stack ?? '');
  return `${shownText(removeSecrets(lines.join('\n')))}\n`;
}

function linesOf(error: AppError, command: Command | undefined): string[] {
  const { text, todo } = optionFaults(error, command) ?? {
    text: withOptions(error.message, command),
    todo: error.todo,
  };
  return [`${error.code}: ${text}`, ...causesOf(error), `What to do: ${todo}`];
}

function unexpected(error: unknown, verbose: boolean): string[] {
  return [
    `Unexpected error: ${error instanceof Error ? error.message : String(error)}`,
    ...causesOf(error),
    ...(verbose ? [] : ['With --verbose the stack is shown.']),
  ];
}

const maxCauses = 4;

function causesOf(error: unknown): string[] {
  const lines: string[] = [];
  let told = error instanceof Error ? error.message : '';
  let cause = causeOf(error);
  for (let depth = 0; cause instanceof Error && depth < maxCauses; depth += 1) {
    // A cause that was quoted already adds nothing.
    if (!told.includes(cause.message)) lines.push(`  because: ${cause.message}`);
    told = `${told}\n${cause.message}`;
    cause = causeOf(cause);
  }
  return lines;
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}
