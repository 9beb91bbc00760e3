import { Command, CommanderError } from 'commander';
import type { Configuration } from '../host/configuration.ts';
import { version } from '../host/version.ts';
import {
  type Bind,
  type CommandContext,
  type CommandSurroundings,
  exitCodes,
} from '../terminal/command-context.ts';
import { addBatchCommand } from '../capabilities/batches/batch-command.ts';
import { addBudgetsCommand } from '../capabilities/budgets/budgets-command.ts';
import { addCheckCommand } from './check-command.ts';
import { addCostsCommand } from '../capabilities/costs/costs-command.ts';
import { addPricesCommand } from '../capabilities/prices/prices-command.ts';
import { addDeadLettersCommand } from '../capabilities/dead-letters/dead-letters-command.ts';
import { addDemoCommand } from './demo/demo-command.ts';
import { describeError } from './describe-error.ts';
import { addCallsCommand } from '../capabilities/corrections/calls-command.ts';
import { addEraseCommand } from '../capabilities/erasure/erase-command.ts';
import { addFocusCommand } from '../capabilities/costs/focus/focus-command.ts';
import { addLimitsCommand } from '../capabilities/limits/limits-command.ts';
import { addPeriodsCommand } from '../capabilities/costs/periods/periods-command.ts';
import { addPausesCommands } from '../capabilities/pauses/pauses-commands.ts';
import { addAuditCommand } from '../capabilities/access/audit-command.ts';
import { addKeysCommand } from '../capabilities/access/keys-command.ts';
import { addRequestsCommand } from '../capabilities/requests/requests-command.ts';
import type { StageDefinition } from '../engine/pipeline/stage-definition.ts';
import { addMessagesCommand } from '../capabilities/message-operations/messages-command.ts';
import { addMigrateCommand } from './migrate-command.ts';
import { isWrongUsage } from './option-faults.ts';
import { allowReaderToLeave, isOfGoneReader } from '../terminal/output-streams.ts';
import { shownText } from '../terminal/shown-text.ts';
import { addPipelinesCommand } from '../capabilities/pipelines/pipelines-command.ts';
import { addProviderBatchesCommand } from '../capabilities/batches/mode/provider-batches-command.ts';
import { addProvidersCommand } from './providers-command.ts';
import { addReconcileCommand } from '../capabilities/costs/reconciliation/reconcile-command.ts';
import { addSchedulesCommand } from '../capabilities/schedules/schedules-command.ts';
import { addSimulatorCommand } from './simulator-command.ts';
import { addStartCommand } from './start-command.ts';
import { addStatusCommand } from './status-command.ts';
import { nameUnknownOptionsFirst } from './unknown-options.ts';
import { addWaitsCommand } from '../capabilities/waits/waits-command.ts';
import { addTailCommand } from '../capabilities/message-operations/tail-command.ts';
import { addWebhooksCommand } from '../capabilities/webhooks/webhooks-command.ts';

/**
 * Runs one command line, without the program's name. Resolves with the exit code after the last effect. `installation` opens what the options
 * name; without it the stores of the configuration are opened for the command.
 */
export async function runCommandLine(
  args: readonly string[],
  surroundings: CommandSurroundings,
  installation: CommandContext<Configuration>['installation'] = async (options) =>
    (await import('../host/command-installation.ts')).installationOf(surroundings.environment, options),
): Promise<number> {
  const context: CommandContext<Configuration> = { ...surroundings, installation };
  for (const stream of [context.stdout, context.stderr]) allowReaderToLeave(stream);
  let exitCode: number = exitCodes.ok;
  const bind: Bind =
    (action) =>
    async (...parameters) => {
      exitCode = await action(...parameters);
    };
  const program = commandsOf(context, bind);
  let ran: Command | undefined;
  program.hook('preAction', (_, command) => {
    ran = command;
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has printed already: what is wrong, the help, or the version.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    if (isOfGoneReader(error, context.stdout)) return exitCodes.ok;
    const { verbose = false } = program.opts<{ verbose?: boolean }>();
    context.stderr.write(describeError(error, { verbose, command: ran }));
    return isWrongUsage(error) ? exitCodes.usage : exitCodes.failed;
  }
}

function commandsOf(context: CommandContext<Configuration>, bind: Bind): Command {
  const program = new Command('millrace')
    .description('A pipeline host for LLM work that knows what every message cost, and for whom.')
    .version(version, '-V, --version')
    .option('--verbose', 'show the stack of errors')
    .showHelpAfterError('(--help shows what there is)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void context.stdout.write(shownText(text)),
      writeErr: (text) => void context.stderr.write(shownText(text)),
    });
  const adders = [
    addStartCommand,
    addDemoCommand,
    addMigrateCommand,
    addCheckCommand,
    addStatusCommand,
    addCostsCommand,
    addFocusCommand,
    addPeriodsCommand,
    addReconcileCommand,
    addCallsCommand,
    addBudgetsCommand,
    addDeadLettersCommand,
    addMessagesCommand,
    addTailCommand,
    addPausesCommands,
    addLimitsCommand,
    addEraseCommand,
    addProvidersCommand,
    addPricesCommand,
    addSchedulesCommand,
    addProviderBatchesCommand,
    addWebhooksCommand,
    addKeysCommand,
    addAuditCommand,
    addSimulatorCommand,
  ];
  for (const add of adders) add(program, context, bind);
  const loadDefinitions = async (file: string): Promise<readonly StageDefinition[]> => {
    const { definitionsOf, loadStages } = await import('./load-stages.ts');
    return definitionsOf(await loadStages(file));
  };
  addBatchCommand(program, context, bind, loadDefinitions);
  addPipelinesCommand(program, context, bind, loadDefinitions);
  addWaitsCommand(program, context, bind, loadDefinitions);
  addRequestsCommand(program, context, bind, loadDefinitions);
  nameUnknownOptionsFirst(program);
  program.hook('preSubcommand', (_, command) => context.beforeCommand?.(command.name()));
  return program;
}
