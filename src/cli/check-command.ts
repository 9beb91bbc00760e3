import type { Command } from 'commander';
import {
  type Bind,
  type CommandContext,
  exitCodes,
  print,
  type StoreOptions,
  withStoreOptions,
} from '../terminal/command-context.ts';
import { configurationOf } from './configuration-of.ts';
import { renderTable } from '../terminal/text-table.ts';

interface CheckOptions extends StoreOptions {
  readonly stages?: string;
  readonly json?: boolean;
}

/** `millrace check`: the start-up checks without a start. */
export function addCheckCommand(program: Command, context: CommandContext, bind: Bind): void {
  withStoreOptions(program.command('check'))
    .description('check for what would break a promise; exit with 1 when a start would be refused')
    .option('--stages <file>', 'also check the stages that this JavaScript file exports')
    .option('--json', 'one JSON array')
    .action(bind((options: CheckOptions) => check(context, options)));
}

async function check(context: CommandContext, options: CheckOptions): Promise<number> {
  const { findStartupFaults } = await import('../host/operator-checks.ts');
  const configuration = configurationOf(context, options);
  const definitions =
    options.stages === undefined
      ? []
      : (await import('./load-stages.ts')).definitionsOf(
          await (await import('./load-stages.ts')).loadStages(options.stages),
        );
  const { clock, environment } = context;
  const findings = await findStartupFaults(configuration, { clock, definitions, environment });
  if (options.json === true) print(context, JSON.stringify(findings, undefined, 2));
  else if (findings.length === 0) print(context, 'Nothing found.');
  else {
    const columns = ['severity', 'code', 'what', 'to do'].map((title) => ({ title }));
    const rows = findings.map(({ severity, code, what, todo }) => [severity, code, what, todo]);
    print(context, renderTable(columns, rows));
  }
  return findings.some(({ severity }) => severity === 'fatal') ? exitCodes.failed : exitCodes.ok;
}
