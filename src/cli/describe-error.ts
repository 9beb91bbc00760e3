import { AppError } from '../kernel/app-error.ts';
import { removeSecrets } from '../telemetry/known-secrets.ts';
import { shownText } from '../terminal/shown-text.ts';

/** An error as the person at the terminal needs it: code, what happened, what to do; the stack only on demand, secrets and control characters never. */
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
  return `${shownText(removeSecrets(lines.join('\n')))}\n`;
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
