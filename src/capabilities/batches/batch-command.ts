import type { Command } from 'commander';
import type { Bind, CommandContext } from '../../terminal/command-context.ts';
import { addIntakeCommands } from './intake/intake-commands.ts';
import type { LoadDefinitions } from './intake/submit-batch.ts';
import type { IntakeCommandSettings } from './intake/command-intake.ts';
import type { BatchReportSettings } from './report/command-report.ts';
import { addReportCommand } from './report/report-command.ts';
import { addRunCommands } from './run-commands.ts';

/** `millrace batch`: many items through one pipeline, with one end. */
export function addBatchCommand(
  program: Command,
  context: CommandContext<IntakeCommandSettings & BatchReportSettings>,
  bind: Bind,
  loadDefinitions: LoadDefinitions,
): void {
  const batch = program
    .command('batch')
    .description('run many items through a pipeline as one job: submit, watch, steer, collect');
  addIntakeCommands(batch, context, bind, loadDefinitions);
  addRunCommands(batch, context, bind);
  addReportCommand(batch, context, bind);
}
