import { Agent, request } from 'node:http';
import fastify from 'fastify';
import { FuzzedHost } from '../test/fuzz/fuzzed-host.ts';
import { benchOptions } from './bench-options.ts';
import { percentile, rotated, spreadOf, written } from './statistics.ts';

const help = `npm run build && node bench/requests.ts [--stores servers|embedded] [--requests 2000] [--parallel 50] [--rounds 3]

How many requests to a pipeline a host accepts a second, durably, with a key for each, while it works on them; beside it, in the same run and with
the same client, what a bare Fastify answers 202 to. Everything is on this machine.
`;

const flags = benchOptions(help, {
  stores: { type: 'string', default: 'servers' },
  requests: { type: 'string', default: '2000' },
  parallel: { type: 'string', default: '50' },
  rounds: { type: 'string', default: '3' },
});
const [count, parallel, rounds] = [flags.requests, flags.parallel, flags.rounds].map(Number);
if (count === undefined || parallel === undefined || rounds === undefined) throw new Error(help);

const agent = new Agent({ keepAlive: true, maxSockets: parallel });
const bare = fastify();
bare.post('/v1/pipelines/default/requests', async (_, reply) => {
  await reply.status(202).send({ state: 'queued' });
});
const bareUrl = await bare.listen({ host: '127.0.0.1', port: 0 });
const host = await FuzzedHost.start({
  stores: flags.stores === 'embedded' ? 'embedded' : 'servers',
  http: { limits: { requestsPerMinute: 100_000_000 } },
});
const [key] = host.keys;
const body = JSON.stringify({
  data: { text: 'What is the tide?' },
  origin: { team: 't', customer: 'c', feature: 'f' },
});
let keys = 0;

const sides = [
  { name: 'bare Fastify', url: bareUrl, perSecond: [] as number[], tookMs: [] as number[] },
  { name: 'requests', url: host.url, perSecond: [] as number[], tookMs: [] as number[] },
];
try {
  for (const { url } of sides) await Promise.all(Array.from({ length: parallel }, () => ask(url)));
  for (let round = 0; round < rounds; round += 1)
    for (const side of rotated(sides, round)) {
      const began = performance.now();
      let left = count;
      const worker = async (): Promise<void> => {
        while (left > 0) {
          left -= 1;
          side.tookMs.push(await ask(side.url));
        }
      };
      await Promise.all(Array.from({ length: parallel }, worker));
      side.perSecond.push(count / ((performance.now() - began) / 1000));
    }
  for (const { name, perSecond, tookMs } of sides)
    console.log(
      `${name.padEnd(14)} ${written(spreadOf(perSecond))} a second, p50 ${percentile(tookMs, 0.5).toFixed(1)} ms, p99 ${percentile(tookMs, 0.99).toFixed(1)} ms`,
    );
  const [one, other] = sides.map(({ perSecond }) => spreadOf(perSecond).median);
  console.log(`ratio          ${((other ?? 0) / (one ?? 1)).toFixed(3)}`);
} finally {
  agent.destroy();
  await host.stop();
  await bare.close();
}

/** One request with a key of its own; answers how long it took. Throws for any answer but 202. */
function ask(url: string): Promise<number> {
  keys += 1;
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const outgoing = request(
      `${url}/v1/pipelines/default/requests`,
      {
        agent,
        method: 'POST',
        headers: {
          authorization: `Bearer ${key}`,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          'idempotency-key': `bench-${keys}`,
        },
      },
      (response) => {
        response.resume();
        response.once('end', () => {
          if (response.statusCode === 202) resolve(performance.now() - began);
          else reject(new Error(`answered ${response.statusCode}`));
        });
      },
    );
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}
