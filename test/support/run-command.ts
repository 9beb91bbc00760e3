import { runCommandLine } from '../../src/cli/command-line.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { CapturedOutput } from './captured-output.ts';
import type { KeptLedger } from './kept-ledger.ts';

/** What a command printed, and its exit code. */
export interface CommandOutput {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `millrace …` in the test's own process, with no environment but the given one; on the ledger, where one is kept open. */
export async function runCommand(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  ledger?: KeptLedger,
): Promise<CommandOutput> {
  const stdout = new CapturedOutput();
  const stderr = new CapturedOutput();
  const surroundings = { environment, stdout, stderr, clock: systemClock };
  const code = await runCommandLine([...args], surroundings, ledger?.opener(environment));
  return { code, stdout: stdout.text, stderr: stderr.text };
}
