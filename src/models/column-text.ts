const maxColumnCharacters = 256;

/**
 * Text from outside as a text column takes it: PostgreSQL refuses U+0000 and lone surrogates, and one such value
 * would fail the whole group that is committed together.
 */
export function columnText(text: string, maxCharacters = maxColumnCharacters): string {
  return text.slice(0, maxCharacters).toWellFormed().replaceAll('\u0000', '\ufffd');
}
