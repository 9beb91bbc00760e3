/*
 * What commands show was partly written by providers, handlers and producers. In a terminal a control character is an
 * order: to clear the screen, to set the title, to answer as if somebody typed. Here they become visible, at the last step
 * before a text is written. Of control characters JSON leaves only U+007F to U+009F as they are: they become escapes that JSON knows, so
 * that JSON stays JSON and means the same.
 */

/** All but newline (also with a carriage return before it) and tab; and the marks that turn the direction of what follows. */
const unseen = /\r(?!\n)|[^\P{Cc}\t\n\r]|[\u202a-\u202e\u2066-\u2069]/gu;

/** The text with its control characters as `\x1b` or `\u009b`. */
export function shownText(text: string): string {
  return text.replaceAll(unseen, (character) => {
    const code = character.charCodeAt(0);
    const digits = code.toString(16);
    return code < 0x20 ? `\\x${digits.padStart(2, '0')}` : `\\u${digits.padStart(4, '0')}`;
  });
}
