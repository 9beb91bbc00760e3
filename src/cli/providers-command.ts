import type { Command } from 'commander';
import type { Configuration } from '../host/configuration.ts';
import { type Bind, type CommandContext, exitCodes, print } from '../terminal/command-context.ts';
import { renderTable } from '../terminal/text-table.ts';

interface ProvidersOptions {
  readonly config?: string;
  readonly json?: boolean;
}

/** `millrace providers`: which providers are configured, whose packages are installed, and what makes the others. */
export function addProvidersCommand(
  program: Command,
  context: CommandContext<Configuration>,
  bind: Bind,
): void {
  program
    .command('providers')
    .description('the providers that are configured or could be, with their packages; no secrets')
    .option('--config <file>', 'JSON configuration file')
    .option('--json', 'one JSON array')
    .action(bind((options: ProvidersOptions) => providers(context, options)));
}

async function providers(
  context: CommandContext<Configuration>,
  { config, json }: ProvidersOptions,
): Promise<number> {
  const { providerRows } = await import('../host/provider-rows.ts');
  const { settings } = await context.installation(config === undefined ? {} : { config });
  const rows = providerRows(settings);
  if (json === true) {
    print(context, JSON.stringify(rows, undefined, 2));
    return exitCodes.ok;
  }
  print(
    context,
    renderTable(
      ['provider', 'kind', 'configured', 'package', 'installed', 'prices of', 'to do'].map((title) => ({
        title,
      })),
      rows.map((row) => [
        row.provider,
        row.kind,
        row.configuredBy ?? 'no',
        row.package,
        row.installed ?? 'no',
        row.prices ?? '',
        row.todo ?? '',
      ]),
    ),
  );
  return exitCodes.ok;
}
