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

interface MigrateOptions extends StoreOptions {
  readonly check?: boolean;
}

/** `millrace migrate`: brings the schemas of ledger and column store up to date. */
export function addMigrateCommand(program: Command, context: CommandContext, bind: Bind): void {
  withStoreOptions(program.command('migrate'))
    .description('bring the schemas of ledger and column store up to date')
    .option('--check', 'change nothing; exit with 1 when something is pending')
    .action(bind((options: MigrateOptions) => runMigrations(context, options)));
}

async function runMigrations(context: CommandContext, options: MigrateOptions): Promise<number> {
  const operator = await import('../host/operator-stores.ts');
  const configuration = configurationOf(context, options);
  if (options.check === true) operator.requireData(configuration);
  return operator.withOperatorStores(configuration, async (stores) => {
    if (options.check === true) {
      const pending = await operator.listPendingMigrations(stores);
      for (const name of pending) print(context, `pending  ${name}`);
      if (pending.length === 0) print(context, 'Nothing is pending.');
      return pending.length === 0 ? exitCodes.ok : exitCodes.failed;
    }
    const applied = await operator.applyMigrations(stores, configuration);
    for (const name of applied) print(context, `applied  ${name}`);
    if (applied.length === 0) print(context, 'Everything was applied already.');
    return exitCodes.ok;
  });
}
