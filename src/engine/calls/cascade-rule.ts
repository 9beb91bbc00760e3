import type { AppError } from '../../kernel/app-error.ts';
import type { Usd } from '../../kernel/money.ts';
import type { Pricer } from '../../pricing/price.ts';
import type { TokenCounts } from '../../pricing/token-classes.ts';
import type { UnitCounts } from '../../pricing/usage-units.ts';
import { InvalidOutput } from '../invalid-output.ts';
import type { CascadeVerdict } from '../ledger/settlement.ts';
import type { CascadePlace, StoredCall } from '../ledger/stored-call.ts';
import type { ModelTarget } from '../providers/provider-registry.ts';
import {
  type AnswerRules,
  type CheckedAnswer,
  faultOfAnswer,
  textOfAnswer,
  verdictOf,
} from './answer-check.ts';

/*
 * A cascade asks its models in their order, each when the answers of those before it did not do. What became of an answer is decided once
 * and stands in the call's row:
 *
 *   small model's answer ─► accepted    the handler gets it; it saved what the last model would have cost, less what it cost
 *                     └───► escalated   the next model is asked; what it cost is the price of the cascade
 *
 * An answer without substance, cut off, or failing the step's check is escalated, too. The last model's answer is judged like any other.
 */

/** Whether the text of a smaller model's answer does: true, or why not; what it throws is why not, too. */
export type AcceptRule = (text: string) => true | string;

/** A model's part in a cascade. */
export interface CascadeRule extends CascadePlace {
  /** The step as the handler names it; each model has a place of its own in the record. */
  readonly step: string;
  /** Undefined for the last model, whose answer is the answer. */
  readonly accept: AcceptRule | undefined;
  readonly last: LastModel;
}

/** Who would have answered without the models before it. */
export type LastModel = Pick<ModelTarget<unknown>, 'priceProvider' | 'modelId'>;

/** What became of an answer, and what is known by which its saving is computed. */
export interface CascadeEnd {
  readonly verdict: CascadeVerdict;
  readonly last: LastModel;
}

/** What is to be done with an answer: give it, go on to the next model, or fail with the fault. */
export interface JudgedAnswer {
  readonly fault: AppError | undefined;
  readonly verdict: CascadeVerdict | undefined;
}

/** Judges an answer of a model before the last. What was refused or filtered is a fault, as without a cascade. */
export function judgeInCascade(
  answer: CheckedAnswer,
  rules: AnswerRules,
  { step, accept }: Pick<CascadeRule, 'step'> & { readonly accept: AcceptRule },
): JudgedAnswer {
  const fault = faultOfAnswer(answer, rules, step);
  if (fault instanceof InvalidOutput) return { fault: undefined, verdict: 'escalated' };
  if (fault !== undefined) return { fault, verdict: undefined };
  // An answer that asks for tools is judged by what comes of them.
  const isAccepted =
    answer.content.some(({ type }) => type === 'tool-call') ||
    verdictOf(accept, textOfAnswer(answer)) === true;
  return { fault: undefined, verdict: isAccepted ? 'accepted' : 'escalated' };
}

/** A call whose answer was accepted. */
export interface AcceptedCall extends Pick<StoredCall, 'reservedAt' | 'requestKind'> {
  readonly priceProvider: string;
  /** The one that served it. */
  readonly tier: string;
  readonly tokens: TokenCounts;
  /** Uses of the provider's tools. */
  readonly uses?: UnitCounts | undefined;
}

/**
 * What the same tokens would have cost at the last model, by the price in force at the call's time, put off as the call was.
 * Undefined when no price is known for all of it.
 */
export function lastModelUsd(
  pricer: Pick<Pricer, 'price'>,
  { priceProvider, tier, reservedAt, requestKind, tokens, uses }: AcceptedCall,
  last: LastModel,
): Usd | undefined {
  const question = {
    provider: last.priceProvider,
    model: last.modelId,
    at: reservedAt,
    // Another vendor does not know what a tier of this one is.
    tier: priceProvider === last.priceProvider ? tier : 'default',
    batch: requestKind === 'batch',
  };
  const pricing = pricer.price(question, tokens, uses === undefined ? {} : { units: uses });
  return pricing.kind === 'priced' && pricing.openUnits === undefined ? pricing.cost.total : undefined;
}
