import type { StageRegistry } from '../../engine/pipeline/stage-registry.ts';
import { AppError } from '../../kernel/app-error.ts';
import type { PipelineDocument, PipelineList } from './pipeline-documents.ts';
import { pipelineGraph, pipelinesOf } from './pipeline-graph.ts';

/** The pipelines of this host. */
export class Pipelines {
  readonly #registry: Pick<StageRegistry, 'stages'>;

  constructor(registry: Pick<StageRegistry, 'stages'>) {
    this.#registry = registry;
  }

  list(): PipelineList {
    return { pipelines: [...pipelinesOf(this.#definitions)] };
  }

  /** Throws MILLRACE_NOT_FOUND. */
  get(name: string): PipelineDocument {
    const graph = pipelineGraph(this.#definitions, name);
    if (graph === undefined) throw new AppError('MILLRACE_NOT_FOUND', `There is no pipeline "${name}".`);
    return graph;
  }

  get #definitions() {
    return this.#registry.stages.map(({ definition }) => definition);
  }
}
