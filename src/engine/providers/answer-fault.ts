/** What an answer did that no answer of a provider may do. */
export type AnswerFaultKind = 'redirected' | 'answer_too_large' | 'stalled';

/** An answer that was cut off by this side, because it left the bounds that every answer has. */
export class AnswerFault extends Error {
  override readonly name = 'AnswerFault';
  readonly kind: AnswerFaultKind;

  constructor(kind: AnswerFaultKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** The fault among an error and its causes: clients wrap what a body's stream throws. */
export function answerFaultOf(error: unknown): AnswerFault | undefined {
  let current = error;
  for (let depth = 0; depth < 8 && current instanceof Error; depth += 1) {
    if (current instanceof AnswerFault) return current;
    current = current.cause;
  }
  return undefined;
}
