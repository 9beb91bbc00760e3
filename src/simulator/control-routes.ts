import type { IncomingMessage, ServerResponse } from 'node:http';
import type { z } from 'zod';
import { readWholeNumber } from '../kernel/written-number.ts';
import { batchRulesSchema } from './batches/batch-config.ts';
import type { SimulatedBatches } from './batches/simulated-batches.ts';
import type { Bill } from './bill.ts';
import type { DecoyRequest } from './decoy.ts';
import type { FaultRules } from './faults.ts';
import { billForms, providerBill } from './provider-bills.ts';
import { readBody } from './request-body.ts';
import { faultRulesSchema, faultsOf } from './simulator-config.ts';
import type { StatsCounter } from './simulator-stats.ts';

/** What the control routes show and change. */
export interface Controlled {
  readonly bill: Bill;
  readonly rules: FaultRules;
  readonly batches: SimulatedBatches;
  readonly stats: StatsCounter;
  readonly decoyReceived: readonly DecoyRequest[];
}

/** The path and query of a request. */
export interface RequestUrl {
  readonly pathname: string;
  readonly searchParams: URLSearchParams;
}

export const controlPrefix = '/_simulator/';

const maxRulesBytes = 1024 * 1024;

interface ControlAnswer {
  readonly status: number;
  readonly body: unknown;
}

/**
 * Serves the routes that no provider has: `GET bill?since=N&entries=1`, `GET bill/FORM` (the bill as a
 * provider exports it: `openai-costs` and so on), `GET stats`, `GET decoy`, `GET rules` and `GET batch-rules`, and
 * `PUT` of both with a list of rules that replaces the ones in force.
 */
export async function serveControl(
  controlled: Controlled,
  url: RequestUrl,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  await controlled.batches.catchUp();
  const exported = await exportedBill(controlled, url, incoming);
  const { status, body } =
    exported === undefined
      ? await controlAnswer(controlled, url, incoming)
      : { status: 200, body: undefined };
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(exported ?? JSON.stringify(body));
}

const exportPath = `${controlPrefix}bill/`;

/** The bill in the form of a provider, where one is asked for. */
async function exportedBill(
  { bill }: Controlled,
  { pathname }: RequestUrl,
  { method }: IncomingMessage,
): Promise<string | undefined> {
  const form = billForms.find((known) => method === 'GET' && pathname === `${exportPath}${known}`);
  if (form === undefined) return undefined;
  const { entries = [] } = await bill.read({ entries: true });
  return providerBill(form, entries);
}

async function controlAnswer(
  { bill, rules, batches, stats, decoyReceived }: Controlled,
  url: RequestUrl,
  incoming: IncomingMessage,
): Promise<ControlAnswer> {
  switch (`${incoming.method} ${url.pathname.slice(controlPrefix.length)}`) {
    case 'GET bill':
      return billAnswer(bill, url.searchParams);
    case 'GET stats':
      return { status: 200, body: stats.read() };
    case 'GET decoy':
      return { status: 200, body: decoyReceived };
    case 'GET rules':
      return { status: 200, body: rules.list() };
    case 'PUT rules': {
      const read = await readBody(incoming, maxRulesBytes);
      const parsed = parseRules(faultRulesSchema, read.kind === 'whole' ? read.text : '');
      if (parsed.kind === 'refused') return { status: 422, body: parsed };
      rules.replace(parsed.rules);
      return { status: 200, body: rules.list() };
    }
    case 'GET batch-rules':
      return { status: 200, body: batches.rules() };
    case 'PUT batch-rules': {
      const read = await readBody(incoming, maxRulesBytes);
      const parsed = parseRules(batchRulesSchema, read.kind === 'whole' ? read.text : '');
      if (parsed.kind === 'refused') return { status: 422, body: parsed };
      batches.setRules(parsed.rules);
      return { status: 200, body: batches.rules() };
    }
    default:
      return { status: 404, body: { error: `No such route: ${incoming.method} ${url.pathname}` } };
  }
}

async function billAnswer(bill: Bill, parameters: URLSearchParams): Promise<ControlAnswer> {
  const since = readWholeNumber(parameters.get('since') ?? '0');
  if (since === undefined) return { status: 422, body: { error: 'since is a whole number from 0' } };
  return { status: 200, body: await bill.read({ since, entries: parameters.get('entries') === '1' }) };
}

type ParsedRules<Rules> =
  | { readonly kind: 'rules'; readonly rules: Rules }
  | {
      readonly kind: 'refused';
      readonly error: string;
      readonly faults: { field: string; problem: string }[];
    };

function parseRules<Schema extends z.ZodType>(schema: Schema, text: string): ParsedRules<z.output<Schema>> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    return { kind: 'refused', error: `The rules are not JSON: ${String(cause)}`, faults: [] };
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return { kind: 'rules', rules: parsed.data };
  return { kind: 'refused', error: 'The rules are not valid.', faults: faultsOf(parsed.error) };
}
