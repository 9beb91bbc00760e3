import { Readable } from 'node:stream';
import { type Command, Option } from 'commander';
import {
  type Bind,
  exitCodes,
  type StoreOptions,
  tell,
  withStoreOptions,
} from '../../../terminal/command-context.ts';
import { nameOption } from '../../../terminal/option-values.ts';
import { shownText } from '../../../terminal/shown-text.ts';
import { type CostContext, withCostReports } from '../command-costs.ts';
import { refuseExisting, writeWhole } from '../../../terminal/output-file.ts';
import { parseStatementParameters } from './statement-document.ts';
import { statementForms } from './statement-forms.ts';
import { makeStatement } from './statements.ts';

interface StatementOptions extends StoreOptions {
  readonly month: string;
  /** As `costs` takes it, which may have it more than once. */
  readonly team?: string | readonly string[];
  readonly timezone?: string;
  readonly format?: string;
  readonly output?: string;
  readonly force?: boolean;
}

/** `millrace costs statement`: the answer of GET /v1/statements/{month} as a file. */
export function addStatementCommand(costs: Command, context: CostContext, bind: Bind): void {
  withStoreOptions(costs.command('statement'))
    .description('what a team spent in a month, for people, spreadsheets or programs')
    .requiredOption('--month <month>', 'the month, as in 2026-11')
    .option('--team <team>', 'the team; all teams without it', nameOption)
    .option('--timezone <name>', 'whose month and days, as in Europe/Berlin; the setting without it')
    .addOption(
      new Option('--format <format>', 'form of the statement')
        .choices(statementForms.map(({ name }) => name))
        .default('html'),
    )
    .option('--output <file>', 'file to write; standard output without it')
    .option('--force', 'replace the file if there is one')
    .action(
      bind((_: StatementOptions, command: Command) =>
        writeStatement(context, command.optsWithGlobals<StatementOptions>()),
      ),
    );
}

async function writeStatement(context: CostContext, options: StatementOptions): Promise<number> {
  const { month, team, timezone, format, output, force = false } = options;
  const form = statementForms.find(({ name }) => name === format) ?? statementForms[0];
  if (output !== undefined && !force) await refuseExisting(output);
  const parameters = {
    month,
    ...(team === undefined ? {} : { team: typeof team === 'object' && team.length === 1 ? team[0] : team }),
    ...(timezone === undefined ? {} : { timezone }),
  };
  const statement = await withCostReports(await context.installation(options), (reports, now) =>
    makeStatement(reports, parseStatementParameters(parameters, now, reports.defaults), { now, viewer: {} }),
  );
  const text = form.render(statement);
  if (output === undefined) context.stdout.write(shownText(text));
  else {
    await writeWhole(Readable.from([text]), output);
    tell(context, `${statement.totals.costUsd} USD in ${statement.month}, in ${output}.`);
  }
  return exitCodes.ok;
}
