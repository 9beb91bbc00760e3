import { invariant } from '../../kernel/invariant.ts';
import type { MessageVersion } from '../../messages/message-type.ts';
import type { TriggerDefinition } from './trigger-definition.ts';

/** What a user says about a pipeline. */
export interface PipelineOptions {
  /** What comes in from outside: a request, or an item of a batch, is one message of this version. */
  readonly input: MessageVersion;
  /** What is the pipeline's answer: a type that its stages emit and none consumes. Default: whatever they say at its ends. */
  readonly output?: MessageVersion;
  /** The names of its stages, all of them. */
  readonly stages: readonly string[];
  /** Events of other systems that become messages of it (`defineTrigger`). */
  readonly triggers?: readonly TriggerDefinition[];
}

/** A pipeline in one place. Stages belong to it by naming it: `defineStage('split', { pipeline: documents, … })`. */
export interface PipelineDefinition {
  readonly name: string;
  readonly input: MessageVersion;
  readonly output: MessageVersion | undefined;
  readonly stages: readonly string[];
  readonly triggers: readonly TriggerDefinition[];
}

const options: Record<keyof PipelineOptions, true> = {
  input: true,
  output: true,
  stages: true,
  triggers: true,
};
const maxNameLength = 64;

/**
 * Declares what goes into a pipeline, what comes out and which stages it has. When the host starts this is compared with the stages; what
 * does not fit is refused with MILLRACE_CONFIG_INVALID. A pipeline need not be declared: what goes in and out then follows from its stages.
 */
export function definePipeline(name: string, given: PipelineOptions): PipelineDefinition {
  invariant(
    name.length >= 1 && name.length <= maxNameLength,
    `"${name}" is a pipeline's name (1 to ${maxNameLength} characters)`,
  );
  // Types do not reach callers in JavaScript.
  for (const option of Object.keys(given))
    invariant(
      Object.hasOwn(options, option),
      `pipeline ${name} has no option "${option}"; its options are ${Object.keys(options).join(', ')}`,
    );
  const { input, output, stages, triggers = [] } = given;
  invariant(stages.length > 0, `pipeline ${name} has a stage`);
  invariant(new Set(stages).size === stages.length, `pipeline ${name} names each stage once`);
  return { name, input, output, stages, triggers };
}
