import { AppError } from '../kernel/app-error.ts';

/** An error as the person at the terminal needs it: code, what happened, what to do; the stack only on demand. */
export function describeError(error: unknown, { verbose }: { readonly verbose: boolean }): string {
  const lines =
    error instanceof AppError
      ? [`${error.code}: ${error.message}`, ...causesOf(error), `What to do: ${error.todo}`]
      : [
          `Unexpected error: ${error instanceof Error ? error.message : String(error)}`,
          ...causesOf(error),
          ...(verbose ? [] : ['With --verbose the stack is shown.']),
        ];
  if (verbose && error instanceof Error) lines.push(error.stack ?? '');
  return `${lines.join('\n')}\n`;
}

const maxCauses = 4;

function causesOf(error: unknown): string[] {
  const lines: string[] = [];
  for (
    let cause = causeOf(error);
    cause instanceof Error && lines.length < maxCauses;
    cause = causeOf(cause)
  ) {
    lines.push(`  because: ${cause.message}`);
  }
  return lines;
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}
