import { renderTable } from '../../terminal/text-table.ts';
import type { PipelineDocument, PipelineSummary } from './pipeline-documents.ts';

/** Pipelines as a table. */
export function pipelineTable(pipelines: readonly PipelineSummary[]): string {
  if (pipelines.length === 0) return 'There is no pipeline.';
  const columns = ['pipeline', 'input', 'output', 'stages', 'owners'].map((title) => ({ title }));
  return renderTable(
    columns,
    pipelines.map(({ name, inputs, outputs, stages, owners }) => [
      name,
      listed(inputs),
      listed(outputs),
      String(stages),
      owners.join(', '),
    ]),
  );
}

/** A pipeline for the terminal: its ends, and each stage with what goes on from it. */
export function pipelineText({ name, inputs, outputs, stages }: PipelineDocument): string {
  const lines = [`pipeline  ${name}`, `input     ${listed(inputs)}`, `output    ${listed(outputs)}`];
  for (const { name: stage, owner, consumes, emits, models } of stages) {
    lines.push('', `${stage}  (${owner})${models.length === 0 ? '' : `  asks ${models.join(', ')}`}`);
    lines.push(`  takes  ${consumes.type} ${consumes.versions.map((version) => `v${version}`).join(', ')}`);
    for (const { type, version, isJoin, consumers } of emits) {
      const to = consumers.length === 0 ? 'output' : consumers.join(', ');
      lines.push(`  ${isJoin ? 'joins' : 'emits'}  ${type} v${version} ─► ${to}`);
    }
  }
  return lines.join('\n');
}

/** A pipeline as a Mermaid flowchart. What waits for others has a dotted line. */
export function pipelineMermaid({ inputs, outputs, stages }: PipelineDocument): string {
  const ids = new Map<string, string>();
  const lines = ['flowchart LR'];
  const node = (kind: 'stage' | 'end', name: string): string => {
    const key = `${kind} ${name}`;
    const known = ids.get(key);
    if (known !== undefined) return known;
    const id = `n${ids.size}`;
    ids.set(key, id);
    lines.push(`  ${id}${kind === 'stage' ? `["${label(name)}"]` : `(["${label(name)}"])`}`);
    return id;
  };
  for (const { name, consumes } of stages) {
    const stage = node('stage', name);
    if (inputs.includes(consumes.type)) lines.push(`  ${node('end', consumes.type)} --> ${stage}`);
  }
  for (const { name, emits } of stages) {
    const stage = node('stage', name);
    for (const { type, isJoin, consumers } of emits) {
      const arrow = isJoin ? '-.->' : '-->';
      for (const consumer of consumers)
        lines.push(`  ${stage} ${arrow}|"${label(type)}"| ${node('stage', consumer)}`);
      if (consumers.length === 0 && outputs.includes(type))
        lines.push(`  ${stage} ${arrow} ${node('end', type)}`);
    }
  }
  return lines.join('\n');
}

function listed(types: readonly string[]): string {
  return types.length === 0 ? '-' : types.join(', ');
}

/** Mermaid reads a quote as the end of a label. */
function label(text: string): string {
  return text.replaceAll('#', '#35;').replaceAll('"', '#quot;');
}
