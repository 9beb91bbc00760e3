import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { invariant } from '../kernel/invariant.ts';
import { anthropicMessages } from './anthropic-messages.ts';
import type { BatchRuleInput } from './batches/batch-config.ts';
import { batchRouteOf, serveBatchRoute } from './batches/serve-batch-route.ts';
import { SimulatedBatches } from './batches/simulated-batches.ts';
import { Bill, type BillQuestion, type SimulatorBill } from './bill.ts';
import { type Controlled, controlPrefix, serveControl } from './control-routes.ts';
import { type DecoyRequest, startDecoy } from './decoy.ts';
import { type CountedRule, FaultRules } from './faults.ts';
import { type Counter, serveModelCall } from './model-call.ts';
import { openaiChat } from './openai-chat.ts';
import { openaiEmbeddings } from './openai-embeddings.ts';
import { openaiResponses } from './openai-responses.ts';
import { refusalsOf } from './provider-errors.ts';
import { RateLimits } from './rate-limits.ts';
import { Reply } from './reply.ts';
import { Sightings } from './sightings.ts';
import {
  type FaultRuleInput,
  parseBatchRules,
  parseFaultRules,
  parseSimulatorConfig,
  type SimulatorConfigInput,
} from './simulator-config.ts';
import { type SimulatorStats, StatsCounter } from './simulator-stats.ts';

/** How many distinct requests are remembered for the draws of their retries. */
const maxSightings = 500_000;

export interface SimulatorOptions extends SimulatorConfigInput {
  readonly clock?: Clock;
  /** Called for failures of the simulator itself, such as a full disk; by default they become process warnings. */
  readonly onError?: (error: Error) => void;
}

/** A running simulator. */
export interface Simulator {
  /** Its address without a path: "http://127.0.0.1:40123". Providers take `${url}/openai/v1` and `${url}/anthropic/v1`. */
  readonly url: string;
  readonly port: number;
  bill(question?: BillQuestion): Promise<SimulatorBill>;
  stats(): SimulatorStats;
  rules(): CountedRule[];
  /** What came to the host that a hostile provider redirects to. */
  decoyReceived(): readonly DecoyRequest[];
  /** Replaces the fault rules in force. */
  setRules(rules: readonly FaultRuleInput[]): void;
  /** Replaces the rules about batches in force. */
  setBatchRules(rules: readonly BatchRuleInput[]): void;
  /** Breaks off what is being served, and resolves when the last effect is done. */
  close(): Promise<void>;
}

const endpoints = new Map(
  [openaiChat, openaiResponses, openaiEmbeddings, anthropicMessages].map((endpoint) => [
    endpoint.path,
    endpoint,
  ]),
);

/** Starts a model provider on loopback, OpenAI- and Anthropic-shaped, that keeps its own bill. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { clock = systemClock, onError = (error) => process.emitWarning(error), ...input } = options;
  const config = parseSimulatorConfig(input);
  const bill = await Bill.open(config.dataDirectory, config.maxEntriesInMemory);
  const rules = new FaultRules(config.rules);
  const stats = new StatsCounter();
  const limits = new RateLimits(config.limits);
  const sightings = new Sightings(maxSightings, await bill.timesBilled());
  const decoy = config.hostile === undefined ? undefined : await startDecoy();
  const court = { config, clock, rules, limits, sightings };
  const batches = await SimulatedBatches.open(court, bill);
  const counter: Counter & Controlled = {
    ...court,
    bill,
    batches,
    stats,
    decoyUrl: decoy?.url ?? '',
    decoyReceived: decoy?.received ?? [],
  };

  const serving = new Set<Promise<void>>();
  const server = createServer({ keepAliveTimeout: 75_000 }, (incoming, response) => {
    const served = serve(counter, incoming, response).catch((cause: unknown) => {
      response.destroy();
      onError(cause instanceof Error ? cause : new Error(String(cause)));
    });
    serving.add(served);
    void served.then(() => serving.delete(served));
  });
  try {
    server.listen(config.port, '127.0.0.1');
    await once(server, 'listening');
  } catch (cause) {
    await batches.close();
    await bill.close();
    await decoy?.close();
    throw cause;
  }
  const address = server.address();
  invariant(typeof address === 'object' && address !== null, 'a listening server has an address');

  return {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    bill: async (question) => {
      await batches.catchUp();
      return await bill.read(question);
    },
    stats: () => stats.read(),
    rules: () => rules.list(),
    decoyReceived: () => decoy?.received ?? [],
    setBatchRules: (next) => batches.setRules(parseBatchRules(next)),
    setRules: (next) => rules.replace(parseFaultRules(next)),
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
      await Promise.all(serving);
      await decoy?.close();
      await batches.close();
      await bill.close();
    },
  };
}

async function serve(
  counter: Counter & Controlled,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const [pathname = '/', query = ''] = (incoming.url ?? '/').split('?', 2);
  const url = { pathname, searchParams: new URLSearchParams(query) };
  if (pathname.startsWith(controlPrefix)) {
    await serveControl(counter, url, incoming, response);
    return;
  }
  const route = batchRouteOf(pathname);
  const endpoint = incoming.method === 'POST' ? endpoints.get(pathname) : undefined;
  counter.stats.begin(route?.name ?? endpoint?.name ?? 'unknown');
  response.once('close', () => counter.stats.end(response.headersSent ? response.statusCode : undefined));
  if (route !== undefined) {
    await serveBatchRoute(counter.batches, route, { url, clock: counter.clock }, { incoming, response });
    return;
  }
  if (endpoint === undefined) refusePath(counter, pathname, incoming, response);
  else await serveModelCall(counter, endpoint, incoming, response);
}

function refusePath(
  counter: Counter,
  pathname: string,
  incoming: IncomingMessage,
  response: ServerResponse,
): void {
  const provider = pathname.startsWith('/anthropic/') ? 'anthropic' : 'openai';
  incoming.resume();
  const reply = new Reply(provider, 'req_none', response, counter.clock);
  reply.refuse(refusalsOf[provider].notFound(`${incoming.method} ${pathname}`));
}
