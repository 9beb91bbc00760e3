import { once } from 'node:events';
import type { Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { listenHttp } from '../../src/host/http/server.ts';

/** A request that has arrived, with a body of which one byte comes. `closed` has its answer. */
export async function drip(
  application: NestFastifyApplication,
  holder: string,
): Promise<{ readonly socket: Socket; readonly closed: Promise<string> }> {
  const server: Server = application.getHttpServer();
  if (!server.listening) await listenHttp(application, { host: '127.0.0.1', port: 0 });
  const { port } = new URL(await application.getUrl());
  const socket = connect(Number(port), '127.0.0.1');
  // What is refused may be reset before all of it is sent.
  socket.on('error', () => undefined);
  let answer = '';
  socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
  const closed = new Promise<string>((resolve) => {
    socket.once('close', () => resolve(answer));
  });
  const arrived = once(server, 'request');
  socket.write(
    `POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${holder}\r\ncontent-type: application/cloudevents+json\r\ncontent-length: 100\r\n\r\n{`,
  );
  await arrived;
  return { socket, closed };
}
