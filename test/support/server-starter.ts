import { PostgresServer } from './postgres-server.ts';
import { RedisServer } from './redis-server.ts';

/* A process of its own for the test that kills it: starts both servers, says which they are, and stays. */

const servers = await Promise.all([
  PostgresServer.start({ settings: { fsync: 'off' } }),
  RedisServer.start(),
]);
process.stdout.write(
  `${JSON.stringify({
    pids: servers.map((server) => server.pid),
    logFiles: servers.map((server) => server.logFile),
  })}\n`,
);
setInterval(() => undefined, 60_000);
