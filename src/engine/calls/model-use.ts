import { invariant } from '../../kernel/invariant.ts';
import type { AnswerRules } from './answer-check.ts';
import type { ReuseRule } from './call-journal.ts';
import type { MicroBatchOptions } from './micro-batch-settings.ts';

/** How a handler wants to use a model in one place. */
export interface ModelUse {
  /** The named place in the handler where the call is made. Default "call". */
  readonly step?: string;
  /** Which recorded answers may be given again. Default: to the same question only. */
  readonly reuse?: ReuseRule;
  /** What is taken for an answer here. Default: whatever is neither empty nor cut off. */
  readonly rules?: AnswerRules;
  /** `derived`: a request without a seed gets one that follows from message, step and attempt, where the API has seeds. */
  readonly seed?: 'derived';
  /** Language models: who is asked while the model's circuit is not closed; false for nobody. Default: as configured. */
  readonly fallback?: string | false;
  /** Language models: whether the text of answers goes to whoever follows the run, while it comes. Default false. */
  readonly publish?: boolean;
  /** Embedding models: whether requests of several messages leave as one, and how. Default false. */
  readonly microBatch?: boolean | MicroBatchOptions;
}

const defaultStep = 'call';
const stepPattern = /^[^\p{Cc}\p{Cs}]{1,128}$/u;

/** The place where the call is made. */
export function stepOf({ step = defaultStep }: ModelUse): string {
  invariant(
    stepPattern.test(step),
    `a step's name is 1 to 128 characters of text, not ${JSON.stringify(step)}`,
  );
  return step;
}
