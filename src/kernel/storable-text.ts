/** What is wrong with a text that is not storable, for a fault. */
export const storableProblem = 'must be well-formed Unicode without U+0000';

/**
 * Whether every store can hold the text in a column: PostgreSQL refuses U+0000 and lone surrogates (half an emoji, as
 * `slice` leaves it). Names, ids and keys are checked where they come in; data and answers are kept as JSON, where
 * both are escaped.
 */
export function isStorableText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\u0000');
}
