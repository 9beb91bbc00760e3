import type { Command } from 'commander';
import type { Bind, CommandContext } from '../../terminal/command-context.ts';
import { wholeNumberOption } from '../../terminal/option-values.ts';
import type { DemoOptions } from './run-demo.ts';

/** `millrace demo`: the example pipeline over real documents, embedded, with everything it cost. */
export function addDemoCommand(program: Command, context: CommandContext, bind: Bind): void {
  program
    .command('demo')
    .description('run the example pipeline over real documents and show who pays what; no server is needed')
    .option('--documents <directory>', 'folder of text files; the texts of installed packages without it')
    .option('--limit <n>', 'the first n documents (default: 300)', wholeNumberOption(1, 1_000_000))
    .option(
      '--data <directory>',
      'where everything is stored; a run continues where an earlier one in this folder stopped',
    )
    .option('--stay', 'leave the API and /metrics up afterwards, until Ctrl-C')
    .option('--json', 'print one JSON object instead of tables')
    .option('--faults', 'let the simulated provider fail now and then')
    .option('--seed <n>', 'seed of the simulated provider (default: 1)', wholeNumberOption(0, 2 ** 31 - 1))
    .option('--concurrency <n>', 'messages of a stage at once (default: 16)', wholeNumberOption(1, 1000))
    .action(bind(async (options: DemoOptions) => (await import('./run-demo.ts')).runDemo(context, options)));
}
