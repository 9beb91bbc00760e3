import type { Server } from 'node:http';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import supertest from 'supertest';

/**
 * Supertest's requests to an application, over a connection: to one that listens, by its address; one that does not listens on
 * loopback while it is asked. `app.inject` is for what a connection cannot show: a fixed order of requests that come together,
 * addresses of other machines, and requests that no client would send.
 */
export function requestTo(application: NestFastifyApplication | string): ReturnType<typeof supertest> {
  if (typeof application === 'string') return supertest(application);
  const server: Server = application.getHttpServer();
  return supertest(server);
}
