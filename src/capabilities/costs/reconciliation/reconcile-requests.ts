import { maxUsd, sumUsd, type Usd, usd, zeroUsd } from '../../../kernel/money.ts';
import { countTokens, inputTokenClasses, outputTokenClasses } from '../../../pricing/token-classes.ts';
import type { Bill, RequestLine } from './bill.ts';
import {
  type ComparedDay,
  type ComparedRow,
  type Difference,
  type DifferenceCause,
  maxNamedCalls,
  type ProvenCall,
} from './difference.ts';
import type { LedgerCall } from './ledger-usage.ts';
import { ModelFamilies } from './model-families.ts';
import { isCancelled } from './usage-moves.ts';

/*
 * Compares a bill that lists requests one by one with the ledger's calls, by the provider's id of the request. A request
 * that no call has the id of can be an unsettled call: when it is the only such request that began while the call was under
 * way, and the call is the only one that was, the bill says what that call used and cost.
 */

/** A request begins at the provider so much earlier or later than the ledger's clock has it. */
const clockSkewMs = 10_000;
const half = usd('0.5');
const floatNoise = usd('0.000000000000001');

/** What one request or call differs by. */
interface Found {
  readonly day: string;
  readonly model: string;
  readonly ledgerUsd: Usd;
  readonly billUsd: Usd;
  readonly cause: DifferenceCause;
  readonly calls: readonly LedgerCall[];
  readonly tokens: { readonly ledger: number; readonly bill: number };
  readonly proven?: ProvenCall;
}

/** Every day of the bill, in order. `calls` are all of the ledger's in the days of the bill. */
export function compareRequests(bill: Bill, calls: readonly LedgerCall[]): readonly ComparedDay[] {
  const families = new ModelFamilies(calls);
  const named = (model: string): string => families.of(model);
  const found = matched(bill, calls, named);
  return bill.days.map((day) => {
    const ofDay = found.filter((one) => one.day === day);
    const byModel = Map.groupBy(ofDay, ({ model }) => model);
    const models = [...byModel.keys()].toSorted();
    return {
      day,
      rows: models.map((model) => rowOf(model, byModel.get(model) ?? [])),
      proven: ofDay.flatMap(({ proven }) => (proven === undefined ? [] : [proven])),
      unsettledCalls: calls.filter((call) => call.day === day && call.status === 'unsettled').length,
    };
  });
}

function matched(
  bill: Bill,
  calls: readonly LedgerCall[],
  named: (model: string) => string,
): readonly Found[] {
  const byId = new Map(
    calls.filter(({ requestId }) => requestId !== '').map((call) => [call.requestId, call]),
  );
  const seen = new Set<string>();
  const found: Found[] = [];
  const strangers: RequestLine[] = [];
  const billed = new Set<LedgerCall>();
  for (const line of bill.requests) {
    const call = byId.get(line.requestId);
    if (seen.has(line.requestId)) {
      found.push(onlyBilled(line, named(line.model), 'billed_twice', call === undefined ? [] : [call]));
      continue;
    }
    seen.add(line.requestId);
    if (call === undefined) strangers.push(line);
    else {
      billed.add(call);
      found.push(both(bill, line, call, modelOf(call, named)));
    }
  }
  const days = new Set(bill.days);
  const open = calls.filter((call) => call.status === 'unsettled' && !billed.has(call));
  for (const line of strangers) found.push(stranger(line, strangers, open, named));
  for (const call of calls) {
    // What cost nothing is not missed.
    if (billed.has(call) || !days.has(call.day) || call.costUsd.isZero()) continue;
    const same = { day: call.day, model: modelOf(call, named), calls: [call] };
    found.push({
      ...same,
      ledgerUsd: call.costUsd,
      billUsd: zeroUsd,
      cause: 'not_billed',
      tokens: { ledger: countTokens(call.tokens), bill: 0 },
    });
  }
  return found;
}

function both(bill: Bill, line: RequestLine, call: LedgerCall, model: string): Found {
  const cause = causeOf(bill, line, call);
  return {
    // A request around midnight is compared on the bill's day.
    day: line.day,
    model,
    ledgerUsd: call.costUsd,
    billUsd: line.amountUsd,
    cause,
    calls: [call],
    tokens: { ledger: countTokens(call.tokens), bill: countTokens(line.tokens) },
    ...(call.status === 'unsettled' ? provenBy(line, call) : {}),
  };
}

function causeOf({ unitUsd }: Bill, line: RequestLine, call: LedgerCall): DifferenceCause {
  if (call.status === 'unsettled') return isCancelled(call) ? 'cancelled_but_billed' : 'unsettled';
  if (call.status === 'free') return isCancelled(call) ? 'cancelled_but_billed' : 'retry';
  const off = line.amountUsd.minus(call.costUsd).abs();
  if (off.lessThanOrEqualTo(maxUsd(unitUsd.times(half), line.amountUsd.abs().times(floatNoise))))
    return 'rounding';
  if (call.status === 'unpriced') return 'unpriced';
  const sides = [inputTokenClasses, outputTokenClasses];
  const isSame = sides.every(
    (classes) => countTokens(line.tokens, classes) === countTokens(call.tokens, classes),
  );
  if (isSame) return 'price';
  if (isCancelled(call)) return 'cancelled_but_billed';
  return call.status === 'estimated' ? 'estimated' : 'usage';
}

/** A request with an id that no call has. */
function stranger(
  line: RequestLine,
  strangers: readonly RequestLine[],
  open: readonly LedgerCall[],
  named: (model: string) => string,
): Found {
  const model = named(line.model);
  const fits = (request: RequestLine, call: LedgerCall): boolean =>
    call.requestId === '' &&
    modelOf(call, named) === named(request.model) &&
    request.at.getTime() >= call.sentAt.getTime() - clockSkewMs &&
    request.at.getTime() <= call.recordedAt.getTime() + clockSkewMs;
  const candidates = open.filter((call) => fits(line, call));
  const [only] = candidates;
  if (only === undefined) return onlyBilled(line, model, 'not_through_millrace', []);
  const rivals = strangers.filter((request) => candidates.some((call) => fits(request, call)));
  const isCertain = candidates.length === 1 && rivals.length === 1;
  if (rivals.length > candidates.length) return onlyBilled(line, model, 'several', candidates);
  const cause = candidates.every((call) => isCancelled(call)) ? 'cancelled_but_billed' : 'unsettled';
  return { ...onlyBilled(line, model, cause, candidates), ...(isCertain ? provenBy(line, only) : {}) };
}

function provenBy(line: RequestLine, call: LedgerCall): Pick<Found, 'proven'> {
  // More than the request can have cost is no proof of anything.
  if (call.boundUsd.isZero() || line.amountUsd.greaterThan(call.boundUsd) || line.amountUsd.isNegative())
    return {};
  const tokens = Object.fromEntries(Object.entries(line.tokens).filter(([, count]) => count !== 0));
  return {
    proven: { call, tokens, costUsd: line.amountUsd, requestId: line.requestId, answeredModel: line.model },
  };
}

function onlyBilled(
  line: RequestLine,
  model: string,
  cause: DifferenceCause,
  calls: readonly LedgerCall[],
): Found {
  const { day, amountUsd: billUsd } = line;
  return {
    day,
    model,
    ledgerUsd: zeroUsd,
    billUsd,
    cause,
    calls,
    tokens: { ledger: 0, bill: countTokens(line.tokens) },
  };
}

function modelOf({ model, answeredModel }: LedgerCall, named: (model: string) => string): string {
  return named(answeredModel === '' ? model : answeredModel);
}

function rowOf(model: string, found: readonly Found[]): ComparedRow {
  const byCause = Map.groupBy(
    found.filter(({ billUsd, ledgerUsd }) => !billUsd.equals(ledgerUsd)),
    ({ cause }) => cause,
  );
  const differences = [...byCause.keys()].toSorted().map((cause): Difference => {
    const some = byCause.get(cause) ?? [];
    const ids = new Set(some.flatMap(({ calls }) => calls.map(({ id }) => id)));
    return {
      cause,
      usd: sumUsd(some.map(({ billUsd, ledgerUsd }) => billUsd.minus(ledgerUsd))),
      requests: some.length,
      ...(ids.size === 0 ? {} : { callIds: [...ids].toSorted().slice(0, maxNamedCalls) }),
    };
  });
  return {
    model,
    meter: 'all',
    ledgerUsd: sumUsd(found.map(({ ledgerUsd }) => ledgerUsd)),
    billUsd: sumUsd(found.map(({ billUsd }) => billUsd)),
    tokens: {
      ledger: found.reduce((sum, { tokens }) => sum + tokens.ledger, 0),
      bill: found.reduce((sum, { tokens }) => sum + tokens.bill, 0),
    },
    differences,
  };
}
