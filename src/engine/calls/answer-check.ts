import { AppError } from '../../kernel/app-error.ts';
import { InvalidOutput } from '../invalid-output.ts';
import { readableError } from '../../kernel/readable-error.ts';
import type { LanguageAnswer } from './recorded-answer.ts';

/*
 * Whether an answer that came whole is of any use. Empty and cut-off answers are not, unless the step says that it
 * takes them; a step may have a check of its own. One that was refused or filtered is not asked for again, whatever
 * text came with it: that text is an apology, or half an answer.
 */

/** What a step takes for an answer. */
export interface AnswerRules {
  /** Answers that are good for this step though they usually are not. */
  readonly accept?: readonly ('empty' | 'truncated')[];
  /** The step's own check of the answer's text: true, or what is wrong with it. What it throws is wrong with it, too. */
  readonly validate?: (text: string) => true | string;
}

/** Of an answer what is looked at. */
export type CheckedAnswer = Pick<LanguageAnswer, 'content' | 'finishReason' | 'structuredOutputText'>;

/** What is wrong with the answer, as the error that the handler gets; undefined when it is good. */
export function faultOfAnswer(
  answer: CheckedAnswer,
  { accept = [], validate }: AnswerRules,
  step: string,
): AppError | undefined {
  const { unified, raw } = answer.finishReason;
  const isEmpty = !hasSubstance(answer);
  if (unified === 'content-filter') {
    return new AppError(
      'MILLRACE_MODEL_CONTENT_POLICY',
      isEmpty
        ? `The provider's filter left nothing of the answer of step "${step}"`
        : `The answer of step "${step}" was refused, or cut by the provider's filter`,
    );
  }
  // Anthropic pauses a long turn of its own tools, to be continued by another request; the SDK calls that a stop.
  if (raw === 'pause_turn' && !accept.includes('truncated')) {
    return invalidOutput(
      'truncated',
      `The provider paused in the middle of the answer of step "${step}"`,
      step,
    );
  }
  if (unified === 'length' && !accept.includes('truncated')) {
    return invalidOutput('truncated', `The answer of step "${step}" was cut off at its longest`, step);
  }
  if (isEmpty && !accept.includes('empty')) {
    return invalidOutput('empty', `The answer of step "${step}" is empty`, step);
  }
  // An answer that asks for tools is judged by what comes of them.
  if (validate === undefined || answer.content.some(({ type }) => type === 'tool-call')) return undefined;
  const verdict = verdictOf(validate, textOfAnswer(answer));
  return verdict === true
    ? undefined
    : invalidOutput('invalid', `The answer of step "${step}" is not valid: ${verdict}`, step);
}

/** What a check says of a text. One that throws (a parser, mostly) must not leave the call that was paid without its settlement. */
export function verdictOf(validate: (text: string) => true | string, text: string): true | string {
  try {
    return validate(text);
  } catch (error) {
    const readable = readableError(error);
    return readable instanceof Error ? readable.message : 'its check threw what is no error';
  }
}

/** What a handler sees as the text of an answer. */
export function textOfAnswer({ content, structuredOutputText }: CheckedAnswer): string {
  if (structuredOutputText !== undefined) return structuredOutputText;
  let text = '';
  for (const part of content) if (part.type === 'text') text += part.text;
  return text;
}

function hasSubstance({ content, structuredOutputText }: CheckedAnswer): boolean {
  if (structuredOutputText !== undefined && structuredOutputText.trim() !== '') return true;
  return content.some((part) => isSubstance(part));
}

function isSubstance(part: CheckedAnswer['content'][number]): boolean {
  switch (part.type) {
    case 'text':
      return /\S/.test(part.text);
    case 'reasoning':
    case 'reasoning-file':
    case 'source':
      return false;
    case 'custom':
      // Marks of a provider about its answer (a compaction, a fallback); only a file that it made is an answer.
      return part.kind.endsWith('.container_upload');
    case 'tool-call':
    case 'tool-result':
    case 'tool-approval-request':
    case 'file':
      return true;
  }
}

function invalidOutput(outputFault: 'empty' | 'truncated' | 'invalid', reason: string, step: string) {
  return new InvalidOutput(reason, { outputFault, step, isMarked: true });
}
