import type { IncomingHttpHeaders } from 'node:http';
import type { Draws } from './draws.ts';
import type { Endpoint, ModelRequest } from './endpoint.ts';
import type { FaultName, FaultRule } from './simulator-config.ts';
import { isUntrueUsage } from './untrue-usage.ts';

/*
 * Which fault strikes a request. Rules are asked in order; the first that matches and whose draw hits decides.
 * A draw follows from seed, request and attempt, so a retry draws anew while a rerun of everything repeats.
 */

/** A rule and how often it has struck. */
export type CountedRule = FaultRule & { readonly struck: number };

/** What a rule is matched against. */
export interface FaultQuestion {
  readonly endpoint: Endpoint;
  readonly request: ModelRequest;
  readonly headers: IncomingHttpHeaders;
  readonly draws: Draws;
  /** Which attempt at this very request it is, from 1. */
  readonly attempt: string;
}

export class FaultRules {
  #rules: { readonly rule: FaultRule; struck: number }[];

  constructor(rules: readonly FaultRule[]) {
    this.#rules = rules.map((rule) => ({ rule, struck: 0 }));
  }

  /** Puts other rules in force, with their counts at zero. */
  replace(rules: readonly FaultRule[]): void {
    this.#rules = rules.map((rule) => ({ rule, struck: 0 }));
  }

  list(): CountedRule[] {
    return this.#rules.map(({ rule, struck }) => ({ ...rule, struck }));
  }

  /** The rule that strikes this request, which counts as one strike. */
  strike(question: FaultQuestion): FaultRule | undefined {
    for (const [index, counted] of this.#rules.entries()) {
      const { rule } = counted;
      if (rule.times !== undefined && counted.struck >= rule.times) continue;
      if (!isApplicable(rule.fault, question.request) || !matches(rule, question)) continue;
      if (question.draws.stream(`fault:${index}:${question.attempt}`)() >= rule.probability) continue;
      counted.struck += 1;
      return rule;
    }
    return undefined;
  }
}

/** Whether the fault leaves the request unbilled. */
export function isFreeOfCharge(fault: FaultName): boolean {
  switch (fault) {
    case 'rate_limit':
    case 'server_error':
    case 'overloaded':
    case 'auth':
    case 'content_policy':
    case 'context_too_long':
    case 'hang':
      return true;
    case 'hang_billed':
    case 'gateway_timeout':
    case 'cut_stream':
    case 'malformed':
    case 'empty':
    case 'missing_usage':
    case 'usage_absurd':
    case 'usage_zero':
    case 'usage_text':
    case 'usage_fraction':
    case 'usage_negative':
    case 'usage_decreasing':
    case 'nul_text':
    case 'bad_json':
    case 'slow':
      return false;
  }
}

/** A fault that could not show in the answer is not drawn, so that the counts say what happened. */
function isApplicable(fault: FaultName, request: ModelRequest): boolean {
  if (fault === 'bad_json') return request.format.kind === 'json' || request.tools.length > 0;
  if (fault === 'nul_text') return request.embeddings === undefined;
  if (fault === 'usage_decreasing') return request.stream && request.wantsUsage;
  if (isUntrueUsage(fault)) return request.wantsUsage;
  return true;
}

function matches({ match }: FaultRule, { endpoint, request, headers }: FaultQuestion): boolean {
  const { contains, header } = match;
  if (match.provider !== undefined && match.provider !== endpoint.provider) return false;
  if (match.endpoint !== undefined && match.endpoint !== endpoint.name) return false;
  if (match.model !== undefined && match.model !== request.model) return false;
  if (contains !== undefined && !request.texts.some((text) => text.includes(contains))) return false;
  if (header === undefined) return true;
  const value = headers[header.name];
  return value !== undefined && (header.value === undefined || header.value === value);
}
