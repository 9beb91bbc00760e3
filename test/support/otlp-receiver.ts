import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

interface AttributeValue {
  readonly stringValue?: string;
  readonly intValue?: number;
  readonly doubleValue?: number;
}

export interface ReceivedSpan {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly attributes: { key: string; value: AttributeValue }[];
  readonly events?: { name: string; attributes: { key: string; value: AttributeValue }[] }[];
  readonly links?: { traceId: string; spanId: string }[];
  readonly status: { code: number; message?: string };
}

interface ReceivedExport {
  readonly resourceSpans: {
    resource: { attributes: { key: string; value: AttributeValue }[] };
    scopeSpans: { spans: ReceivedSpan[] }[];
  }[];
}

/** A receiver of traces by OTLP over HTTP, on loopback, that keeps what it gets. */
export class OtlpReceiver {
  readonly received: ReceivedExport[] = [];
  readonly headers: Record<string, unknown>[] = [];
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        this.headers.push({ url: request.url, ...request.headers });
        this.received.push(JSON.parse(Buffer.concat(chunks).toString()) as ReceivedExport);
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      });
    });
  }

  /** Resolves with the address to send to, without a path. */
  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  spans(): ReceivedSpan[] {
    return this.received.flatMap(({ resourceSpans }) =>
      resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
    );
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** The attributes of a received span by name. */
export function attributesOf(span: Pick<ReceivedSpan, 'attributes'>): Record<string, string | number> {
  return Object.fromEntries(
    span.attributes.map(({ key, value }) => [
      key,
      value.stringValue ?? value.intValue ?? value.doubleValue ?? '',
    ]),
  );
}
