const maxColumnCharacters = 256;

/**
 * Text from outside as a text column takes it: PostgreSQL refuses U+0000 and lone surrogates, and one such value
 * would fail the whole group that is committed together.
 */
export function columnText(text: string, maxCharacters = maxColumnCharacters): string {
  return text.slice(0, maxCharacters).toWellFormed().replaceAll('\u0000', '\ufffd');
}

/** A text that a model told of its answer, whatever it is in truth: absent where it is nothing, marked where it is no text. */
export function toldText(told: unknown): string | undefined {
  switch (typeof told) {
    case 'string':
      return columnText(told);
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(told);
    default:
      return told === undefined || told === null ? undefined : '(no text)';
  }
}
