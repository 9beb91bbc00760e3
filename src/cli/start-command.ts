import type { Command } from 'commander';
import {
  type Bind,
  type CommandContext,
  exitCodes,
  type StoreOptions,
  tell,
  withStoreOptions,
} from '../terminal/command-context.ts';
import { aborted, watchShutdownSignals } from '../terminal/shutdown-signals.ts';

interface StartOptions extends StoreOptions {
  readonly stages: string;
}

/** `millrace start`: runs stages until it is stopped. */
export function addStartCommand(program: Command, context: CommandContext, bind: Bind): void {
  withStoreOptions(program.command('start'))
    .description('run the stages of a compiled file, with the API, until SIGTERM or Ctrl-C')
    .requiredOption('--stages <file>', 'JavaScript file that exports Nest modules or classes marked @Stage')
    .action(bind((options: StartOptions) => start(context, options)));
}

async function start(context: CommandContext, { stages, config, data }: StartOptions): Promise<number> {
  const [{ createMillraceApp }, { loadStages }] = await Promise.all([
    import('../host/create-millrace-app.ts'),
    import('./load-stages.ts'),
  ]);
  const loaded = await loadStages(stages);
  const signals = watchShutdownSignals((name) =>
    tell(context, `${name}: stopping in order; again to stop at once`),
  );
  try {
    const app = await createMillraceApp({
      ...loaded,
      signals: false,
      environment: context.environment,
      ...(config === undefined ? {} : { configFile: config }),
      ...(data === undefined ? {} : { config: { dataDirectory: data } }),
    });
    tell(context, `Millrace listens on ${app.url ?? 'no address'}; Ctrl-C stops it`);
    await aborted(signals.signal);
    await app.close();
    return exitCodes.ok;
  } finally {
    signals.release();
  }
}
