/*
 * Names are shown in terminals, logs and tables, compared by eye, and sent as headers. What is refused makes a name
 * show as another than it is: control characters, line and paragraph separators, marks that turn the direction of
 * text, and characters without any width. The joiners U+200C and U+200D stay: scripts and emoji need them.
 */

const hidden =
  /[\p{Cc}\p{Cs}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/u;

/** What an error says of a name that is not printable. */
export const notPrintable = 'must not contain control characters or characters that hide or turn text';

/** Whether every character of a name shows as what it is. */
export function isPrintableName(text: string): boolean {
  return !hidden.test(text);
}
