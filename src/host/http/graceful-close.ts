import type { FastifyInstance } from 'fastify';
import type { Clock } from '../../kernel/clock.ts';

/*
 * Fastify closes the connections that are idle when it begins to close, and then waits for the others: one that answers
 * its last request and stays open would hold it for the whole keep-alive time. So answers during the close end their
 * connection, what falls idle is closed, and after the grace time everything is.
 */

/** Makes the server close as soon as the requests in progress are answered, and after `graceMs` at the latest. */
export function closeGracefully(fastify: FastifyInstance, graceMs: number, clock: Clock): void {
  let isClosing = false;
  fastify.addHook('preClose', (done) => {
    isClosing = true;
    const deadline = clock.startTimer(graceMs, () => fastify.server.closeAllConnections());
    fastify.server.once('close', () => deadline.close());
    deadline.unref();
    done();
  });
  fastify.addHook('onSend', (_request, reply, _payload, done) => {
    if (isClosing) void reply.header('connection', 'close');
    done();
  });
  fastify.addHook('onResponse', (_request, _reply, done) => {
    // Its connection is idle only after this.
    if (isClosing) setImmediate(() => fastify.server.closeIdleConnections());
    done();
  });
}
