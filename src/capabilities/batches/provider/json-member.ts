/*
 * The text of one member in JSON, as it was written: parsing and writing it again would change numbers (120.0 becomes 120, large ones
 * lose digits) and escapes.
 */

/**
 * The text of the value at a path of member names, in a text that JSON.parse has taken. Of members of one name the last counts, as it
 * does there. Undefined where there is none. Throws a RangeError for what is deeper than any answer.
 */
export function memberText(json: string, path: readonly string[]): string | undefined {
  let text: string | undefined = json;
  for (const name of path) text = text === undefined ? undefined : ownMember(text, name);
  return text;
}

function ownMember(json: string, name: string): string | undefined {
  let at = afterSpace(json, 0);
  if (json[at] !== '{') return undefined;
  let found: string | undefined;
  at = afterSpace(json, at + 1);
  while (json[at] === '"') {
    const keyEnd = afterString(json, at);
    const key = JSON.parse(json.slice(at, keyEnd)) as string;
    const start = afterSpace(json, afterSpace(json, keyEnd) + 1);
    const end = afterValue(json, start);
    if (key === name) found = json.slice(start, end);
    at = afterSpace(json, afterSpace(json, end) + 1);
  }
  return found;
}

/** What reads an answer calls itself for each level. */
const maxDepth = 512;

const space = new Set([' ', '\t', '\n', '\r']);

function afterSpace(json: string, start: number): number {
  let at = start;
  while (space.has(json[at] ?? '')) at += 1;
  return at;
}

/** `start`: its opening quote. */
function afterString(json: string, start: number): number {
  for (let from = start + 1; ;) {
    const quote = json.indexOf('"', from);
    if (quote === -1) return json.length;
    let slashes = 0;
    while (json[quote - 1 - slashes] === '\\') slashes += 1;
    if (slashes % 2 === 0) return quote + 1;
    from = quote + 1;
  }
}

function afterValue(json: string, start: number): number {
  let depth = 0;
  for (let at = start; at < json.length;) {
    const character = json[at];
    if (character === '"') {
      at = afterString(json, at);
      if (depth === 0) return at;
      continue;
    }
    if (character === '{' || character === '[') depth += 1;
    if (depth > maxDepth) throw new RangeError(`The JSON is more than ${maxDepth} levels deep.`);
    if (character === '}' || character === ']') {
      // The end of what it stands in.
      if (depth === 0) return at;
      depth -= 1;
      if (depth === 0) return at + 1;
    }
    if (depth === 0 && (character === ',' || space.has(character ?? ''))) return at;
    at += 1;
  }
  return json.length;
}
