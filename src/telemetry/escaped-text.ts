/*
 * JSON may write every character as an escape, and JSON within JSON escapes the escapes. Whatever reads such a text takes
 * them back, so a search in it has to see what will be read.
 */

/** What has escapes that more than one text can be written with; those of quotes and newlines are in every answer. */
const mayHide = /\\(?:u[0-9a-f]{4}|[/\\])/i;

/** The text with these patterns (global ones) replaced where they match it as it is read, its escapes taken back. */
export function replaceRead(text: string, patterns: readonly RegExp[], replacement: string): string {
  if (patterns.length === 0 || !mayHide.test(text)) return text;
  let clean = text;
  let read = readText(clean);
  for (const pattern of patterns) {
    const found = [...read.matchAll(pattern)];
    if (found.length === 0) continue;
    clean = replaceAt(clean, found, replacement);
    read = readText(clean);
  }
  return clean;
}

const backslash = 92;
const quote = 34;
const slash = 47;
const letterU = 117;

/**
 * The character that is read at a place of the text, and the place after it, as `place * 65536 + character`: answers may
 * have 64 MiB, and two numbers would be an object for each of their characters. An escape is one character, however often it was escaped itself.
 */
function readOne(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (code !== backslash) return (at + 1) * 65_536 + code;
  let end = at + 1;
  while (text.charCodeAt(end) === backslash) end += 1;
  const escape = text.charCodeAt(end);
  if (escape === quote || escape === slash) return (end + 1) * 65_536 + escape;
  const character = escape === letterU ? hexDigits(text, end + 1) : -1;
  return character < 0 ? end * 65_536 + backslash : (end + 5) * 65_536 + character;
}

/** The number that four hexadecimal digits are; negative when they are none. */
function hexDigits(text: string, at: number): number {
  let value = 0;
  for (let place = at; place < at + 4; place += 1) {
    const code = text.charCodeAt(place);
    const letter = code | 32;
    if (code >= 48 && code <= 57) value = value * 16 + code - 48;
    else if (letter >= 97 && letter <= 102) value = value * 16 + letter - 87;
    else return -1;
  }
  return value;
}

function readText(text: string): string {
  const characters = new Uint16Array(text.length);
  let count = 0;
  for (let at = 0; at < text.length;) {
    const one = readOne(text, at);
    characters[count++] = one % 65_536;
    at = Math.floor(one / 65_536);
  }
  return Buffer.from(characters.buffer, 0, count * 2).toString('utf16le');
}

/** Replaces what was found at these places of the read text, at the places of the written text that they come from. */
function replaceAt(text: string, found: readonly RegExpExecArray[], replacement: string): string {
  const pieces: string[] = [];
  let at = 0;
  let count = 0;
  const placeOf = (index: number): number => {
    for (; count < index; count += 1) at = Math.floor(readOne(text, at) / 65_536);
    return at;
  };
  let end = 0;
  for (const { index, 0: match } of found) {
    pieces.push(text.slice(end, placeOf(index)), replacement);
    end = placeOf(index + match.length);
  }
  return [...pieces, text.slice(end)].join('');
}
