import { eachPayload, isFrameStream } from './event-stream-frames.ts';

/*
 * The text of answers, changed before the SDK reads it: as a whole, line by line where it is an event stream, or frame by frame
 * where that is a binary one. What has to be changed in it is decided elsewhere.
 */

/** What is changed. */
export interface AnswerRewrite {
  /** A text of an answer or a refusal: the whole of it, or some whole lines of an event stream. */
  text(text: string, kind: 'whole' | 'lines' | 'refusal'): string;
  /** The value of a header. */
  header(value: string): string;
}

/** The fetch with its answers changed. */
export function rewrittenAnswers(inner: typeof fetch, rewrite: AnswerRewrite): typeof fetch {
  return async (input, init) => {
    const response = await inner(input, init);
    const { body, status, statusText } = response;
    const headers = rewrittenHeaders(response.headers, rewrite);
    if (body === null) return new Response(null, { status, statusText, headers });
    const kind = status >= 300 ? 'refusal' : isEventStream(headers) ? 'lines' : 'whole';
    const change = (text: string): string => rewrite.text(text, kind);
    if (kind !== 'refusal' && isFrameStream(headers)) {
      return new Response(body.pipeThrough(eachPayload(change)), { status, statusText, headers });
    }
    const changed =
      kind === 'lines'
        ? body
            .pipeThrough(new TextDecoderStream())
            .pipeThrough(eachLine(change))
            .pipeThrough(new TextEncoderStream())
        : wholeText(body, change);
    return new Response(changed, { status, statusText, headers });
  };
}

function isEventStream(headers: Headers): boolean {
  return (headers.get('content-type') ?? '').startsWith('text/event-stream');
}

/** The body's length may change. */
function rewrittenHeaders(headers: Headers, rewrite: AnswerRewrite): Headers {
  const rest = new Headers();
  for (const [name, value] of headers) {
    if (name !== 'content-length') rest.append(name, rewrite.header(value));
  }
  return rest;
}

function eachLine(change: (lines: string) => string): TransformStream<string, string> {
  let open: string[] = [];
  return new TransformStream({
    transform(text, controller) {
      const end = Math.max(text.lastIndexOf('\n'), text.lastIndexOf('\r'));
      if (end < 0) {
        open.push(text);
        return;
      }
      const lines = `${open.join('')}${text.slice(0, end + 1)}`;
      open = [text.slice(end + 1)];
      controller.enqueue(change(lines));
    },
    flush(controller) {
      const rest = open.join('');
      if (rest !== '') controller.enqueue(change(rest));
    },
  });
}

/** A body that is changed as a whole: by one stream, since a chain of them costs a tenth of a millisecond for each answer. */
function wholeText(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  change: (text: string) => string,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader();
  return new ReadableStream(
    {
      async pull(controller) {
        const bytes = new TextEncoder().encode(change(await textOf(reader)));
        if (bytes.byteLength > 0) controller.enqueue(bytes);
        controller.close();
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

async function textOf(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for (;;) {
    const next = await reader.read();
    if (next.done) return text + decoder.decode();
    text += decoder.decode(next.value, { stream: true });
  }
}
