/** One frame of an event stream, with JSON as its data. */
export function sseFrame(data: unknown, event?: string): string {
  const text = `data: ${JSON.stringify(data)}\n\n`;
  return event === undefined ? text : `event: ${event}\n${text}`;
}

/** The frame that ends an OpenAI stream of chat chunks. */
export const sseDone = 'data: [DONE]\n\n';

/** The text in pieces of about four tokens, as a model streams it. */
export function textPieces(text: string): readonly string[] {
  return text.match(/[\s\S]{1,16}/gu) ?? [];
}
