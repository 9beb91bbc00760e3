import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { z } from 'zod';
import { AppError } from '../kernel/app-error.ts';
import { parseSimulatorConfig, type SimulatorConfig } from '../simulator/simulator-config.ts';
import { type Bind, type CommandContext, exitCodes, print, tell } from '../terminal/command-context.ts';
import { wholeNumberOption } from '../terminal/option-values.ts';
import { aborted, watchShutdownSignals } from '../terminal/shutdown-signals.ts';
import { formatCounted } from '../terminal/text-table.ts';

interface SimulatorOptions {
  readonly port?: number;
  readonly seed?: number;
  readonly data?: string;
  readonly config?: string;
}

/** `millrace simulator`: a model provider on loopback, in the foreground. */
export function addSimulatorCommand(program: Command, context: CommandContext, bind: Bind): void {
  program
    .command('simulator')
    .description('run a simulated model provider (OpenAI- and Anthropic-shaped) until Ctrl-C')
    .option('--port <n>', 'port on 127.0.0.1; any free one without it', wholeNumberOption(0, 65_535))
    .option(
      '--seed <n>',
      'what answers, latencies and faults follow from',
      wholeNumberOption(0, Number.MAX_SAFE_INTEGER),
    )
    .option('--data <directory>', 'where its bill is kept; in memory without it')
    .option('--config <file>', 'JSON file with the whole configuration; options come before it')
    .action(bind((options: SimulatorOptions) => runSimulator(context, options)));
}

async function runSimulator(context: CommandContext, options: SimulatorOptions): Promise<number> {
  const { startSimulator } = await import('../simulator/simulator.ts');
  const simulator = await startSimulator(await configOf(options));
  const signals = watchShutdownSignals(() => undefined);
  try {
    print(context, `OpenAI base URL     ${simulator.url}/openai/v1`);
    print(context, `Anthropic base URL  ${simulator.url}/anthropic/v1`);
    print(context, `Bill                ${simulator.url}/_simulator/bill`);
    print(context, `As providers export ${simulator.url}/_simulator/bill/openai-costs`);
    await aborted(signals.signal);
    const { totalUsd, requests } = await simulator.bill();
    tell(context, `Billed ${totalUsd} USD for ${formatCounted(requests, 'request')}`);
    return exitCodes.ok;
  } finally {
    signals.release();
    await simulator.close();
  }
}

async function configOf({ port, seed, data, config }: SimulatorOptions): Promise<SimulatorConfig> {
  return parseSimulatorConfig({
    ...(config === undefined ? {} : await readConfig(config)),
    ...(port === undefined ? {} : { port }),
    ...(seed === undefined ? {} : { seed }),
    ...(data === undefined ? {} : { dataDirectory: data }),
  });
}

async function readConfig(path: string): Promise<Record<string, unknown>> {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    const faults = [{ field: path, problem }];
    throw new AppError('MILLRACE_CONFIG_INVALID', `${path} cannot be read: ${problem}`, {
      cause: error,
      faults,
    });
  }
}
