import type { Command } from 'commander';
import type { Bind, CommandContext } from '../../terminal/command-context.ts';
import { addIntakeCommands, type LoadDefinitions } from './intake/intake-commands.ts';
import type { IntakeCommandSettings } from './intake/command-intake.ts';
import { addRunCommands } from './run-commands.ts';

/** `millrace batch`: many items through one pipeline, with one end. */
export function addBatchCommand(
  program: Command,
  context: CommandContext<IntakeCommandSettings>,
  bind: Bind,
  loadDefinitions: LoadDefinitions,
): void {
  const batch = program
    .command('batch')
    .description('run many items through a pipeline as one job: submit, watch, steer, collect');
  addIntakeCommands(batch, context, bind, loadDefinitions);
  addRunCommands(batch, context, bind);
}
