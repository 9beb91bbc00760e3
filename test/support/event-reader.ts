import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { expect } from 'vitest';

interface Seen {
  readonly id: number;
  readonly kind: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Events as a reader gets them, while they come. */
export class EventReader {
  readonly events: Seen[] = [];
  readonly ended: Promise<void>;
  readonly #stop = new AbortController();
  #buffered = '';

  constructor(url: string, headers: Readonly<Record<string, string>>) {
    this.ended = this.#read(url, headers);
    this.ended.catch(() => undefined);
  }

  get raw(): string {
    return this.#buffered;
  }

  get kinds(): readonly string[] {
    return this.events.map(({ kind }) => kind);
  }

  get text(): string {
    return this.events
      .filter(({ kind }) => kind === 'text-delta')
      .map(({ data }) => String(data['text']))
      .join('');
  }

  leave(): void {
    this.#stop.abort();
  }

  async #read(url: string, headers: Readonly<Record<string, string>>): Promise<void> {
    const response = await fetch(url, { headers: { ...headers }, signal: this.#stop.signal });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const parser = createParser({
      onEvent: ({ id, event, data }: EventSourceMessage) =>
        void this.events.push({
          id: Number(id),
          kind: event ?? '',
          data: JSON.parse(data) as Record<string, unknown>,
        }),
    });
    const decoder = new TextDecoder();
    for await (const bytes of response.body ?? []) {
      const text = decoder.decode(bytes, { stream: true });
      this.#buffered += text;
      parser.feed(text);
    }
  }
}
