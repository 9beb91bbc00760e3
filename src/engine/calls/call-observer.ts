import type { LanguageModelV4Content } from '@ai-sdk/provider';
import type { AttributedCall } from '../ledger/attributed-call.ts';
import type { SettledCall } from '../ledger/settlement.ts';

/** Where the text of one answer goes while it comes. It is called between parts of the answer: it must not throw, nor take time. */
export interface AnswerObserver {
  /** More of the answer, which has passed to the handler. */
  text(kind: 'text' | 'reasoning', delta: string): void;
  /** Nothing more comes of it, whether it is whole or broke off. */
  end(): void;
}

/** Follows the calls of one run of a handler. It must not throw, nor take time. */
export interface CallObserver {
  /** An answer of a step that is published begins: one of a model, or one that was recorded and is given again. */
  beginAnswer(step: string): AnswerObserver;
  /** A call stands settled in the ledger. */
  settled(call: AttributedCall, end: SettledCall): void;
}

/** Tells an answer that is whole. */
export function tellAnswer(
  observer: AnswerObserver | undefined,
  content: readonly LanguageModelV4Content[],
): void {
  if (observer === undefined) return;
  for (const part of content)
    if (part.type === 'text' || part.type === 'reasoning') observer.text(part.type, part.text);
  observer.end();
}
