/** What the text is as JSON; undefined when it is none, which no schema takes. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Not JSON: the caller refuses it as its provider does.
    return undefined;
  }
}
