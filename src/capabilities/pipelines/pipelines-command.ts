import { type Command, Option } from 'commander';
import { AppError } from '../../kernel/app-error.ts';
import type { StageDefinition } from '../../engine/pipeline/stage-definition.ts';
import { type Bind, type CommandContext, exitCodes, print } from '../../terminal/command-context.ts';

interface PipelineOptions {
  readonly stages: string;
  readonly format?: 'text' | 'mermaid' | 'json';
  readonly json?: boolean;
}

type LoadDefinitions = (file: string) => Promise<readonly StageDefinition[]>;

/** `millrace pipelines`: the graph of pipelines, from the file that their stages are in. Nothing has to run. */
export function addPipelinesCommand(
  program: Command,
  context: CommandContext,
  bind: Bind,
  load: LoadDefinitions,
): void {
  const pipelines = program
    .command('pipelines')
    .description('what goes into pipelines, what comes out, and their stages');
  withStages(pipelines.command('list'))
    .description('the pipelines of a file of stages')
    .option('--json', 'one JSON object, as the API answers')
    .action(bind((options: PipelineOptions) => list(context, options, load)));
  withStages(pipelines.command('show').argument('<pipeline>', 'its name'))
    .description('a pipeline with its stages, types and models')
    .addOption(new Option('--format <format>', 'how').choices(['text', 'mermaid', 'json']).default('text'))
    .action(bind((name: string, options: PipelineOptions) => show(context, name, options, load)));
}

function withStages(command: Command): Command {
  return command.requiredOption('--stages <file>', 'the JavaScript file that exports the stages');
}

async function list(
  context: CommandContext,
  options: PipelineOptions,
  load: LoadDefinitions,
): Promise<number> {
  const [{ pipelinesOf }, { pipelineTable }] = await Promise.all([
    import('./pipeline-graph.ts'),
    import('./pipeline-text.ts'),
  ]);
  const pipelines = pipelinesOf(await load(options.stages));
  print(
    context,
    options.json === true ? JSON.stringify({ pipelines }, undefined, 2) : pipelineTable(pipelines),
  );
  return exitCodes.ok;
}

async function show(
  context: CommandContext,
  name: string,
  { stages, format }: PipelineOptions,
  load: LoadDefinitions,
): Promise<number> {
  const [{ pipelineGraph, pipelinesOf }, { pipelineMermaid, pipelineText }] = await Promise.all([
    import('./pipeline-graph.ts'),
    import('./pipeline-text.ts'),
  ]);
  const definitions = await load(stages);
  const graph = pipelineGraph(definitions, name);
  if (graph === undefined) {
    const known = pipelinesOf(definitions).map((one) => `"${one.name}"`);
    throw new AppError(
      'MILLRACE_NOT_FOUND',
      `There is no pipeline "${name}"; there are ${known.join(', ')}.`,
    );
  }
  if (format === 'json') print(context, JSON.stringify(graph, undefined, 2));
  else print(context, format === 'mermaid' ? pipelineMermaid(graph) : pipelineText(graph));
  return exitCodes.ok;
}
