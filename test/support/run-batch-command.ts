import { Command } from 'commander';
import { addBatchCommand } from '../../src/capabilities/batches/batch-command.ts';
import type { StageDefinition } from '../../src/engine/pipeline/stage-definition.ts';
import { installationOf } from '../../src/host/command-installation.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { supportStages } from './batch-intake-fixture.ts';
import { CapturedOutput } from './captured-output.ts';
import type { KeptLedger } from './kept-ledger.ts';
import type { CommandOutput } from './run-command.ts';

export interface BatchCommandOptions {
  readonly directory: string;
  /** Of the installation in the directory. Absent: opened for this command. */
  readonly ledger?: KeptLedger;
  /** To be read while it runs. */
  readonly stderr?: CapturedOutput;
  /** As if no host worked on the installation, or one did. */
  readonly isAlone?: boolean;
}

/** Runs `millrace batch …` with the stages of the pipeline "support" as what --stages names. */
export async function runBatchCommand(
  args: readonly string[],
  { directory, ledger, stderr = new CapturedOutput(), isAlone }: BatchCommandOptions,
): Promise<CommandOutput> {
  const stdout = new CapturedOutput();
  let code = 0;
  const program = new Command('millrace').exitOverride();
  const context = {
    environment: {},
    stdout,
    stderr,
    clock: systemClock,
    installation: (options: { readonly config?: string; readonly data?: string }) => {
      const installation = installationOf({}, options);
      const withLedger: typeof installation.withLedger =
        ledger === undefined ? installation.withLedger : async (work) => work(await ledger.access());
      const pretended: typeof withLedger = (work) =>
        withLedger((access) => work(isAlone === undefined ? access : { ...access, isAlone }));
      return Promise.resolve({ ...installation, withLedger: pretended });
    },
  };
  const bind =
    <Arguments extends readonly unknown[]>(action: (...parameters: Arguments) => Promise<number>) =>
    async (...parameters: Arguments): Promise<void> => {
      code = await action(...parameters);
    };
  const stages = supportStages as unknown as readonly StageDefinition[];
  addBatchCommand(program, context, bind, () => Promise.resolve(stages));
  await program.parseAsync(['batch', ...args, '--data', directory], { from: 'user' });
  return { code, stdout: stdout.text, stderr: stderr.text };
}
