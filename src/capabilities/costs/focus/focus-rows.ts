import { outputTokenClasses, type TokenClass, tokenClasses } from '../../../pricing/token-classes.ts';
import type { FocusRow } from './focus-columns.ts';
import type { FocusGrain, FocusMeter, FocusSums } from './focus-query.ts';

/* Sums as rows of the specification. */

export interface FocusRowOptions {
  readonly grain: FocusGrain;
  /** The account that is billed: the installation's. */
  readonly billingAccount: string;
  /** Whether SkuPriceDetails has the token keys of the specification's 1.5 working draft. */
  readonly hasTokenDetails: boolean;
}

const meterNames: Readonly<Record<FocusMeter, string>> = {
  uncached_input: 'Input Tokens',
  cache_read: 'Cached Input Tokens',
  cache_write_5m: 'Cache Write Tokens (5 minutes)',
  cache_write_1h: 'Cache Write Tokens (1 hour)',
  audio_input: 'Audio Input Tokens',
  image_input: 'Image Input Tokens',
  text_output: 'Output Tokens',
  reasoning: 'Reasoning Tokens',
  audio_output: 'Audio Output Tokens',
  image_output: 'Image Output Tokens',
  request: 'Requests',
  tools: 'Provider Tools',
  charge: 'Charge beside the List Price',
  adjustment: 'Adjustment',
  open: 'Open Calls',
};

/** The names by which providers issue their bills; any other is named as it is configured. */
const providerNames: Readonly<Record<string, string>> = {
  openai: 'OpenAI',
  anthropic: 'Anthropic',
  google: 'Google',
  mistral: 'Mistral AI',
  groq: 'Groq',
  openrouter: 'OpenRouter',
};

const million = 6;

/** The row of the sums. */
export function focusRow(
  sums: FocusSums,
  { grain, billingAccount, hasTokenDetails }: FocusRowOptions,
): FocusRow {
  const start = new Date(`${sums.period.replace(' ', 'T')}Z`);
  const end = new Date(start.getTime() + (grain === 'hour' ? 3_600_000 : 86_400_000));
  const { meter, cost, unit_price: unitPrice } = sums;
  const isToken = isTokenClass(meter);
  // The specification has the word for corrections of periods that were closed.
  const isCorrection = sums.corrected_period !== '';
  const isMetered = isToken || meter === 'request';
  const isPriced = isMetered && unitPrice !== null;
  const provider = providerNames[sums.provider] ?? sums.provider;
  const skuId = `${sums.provider}/${sums.priced_model}/${meter}`;
  const unit = isToken ? '1000000 Tokens' : 'Requests';
  return {
    BilledCost: cost,
    BillingAccountId: billingAccount,
    BillingAccountName: billingAccount,
    BillingCurrency: 'USD',
    BillingPeriodEnd: timeText(startOfMonth(start, 1)),
    BillingPeriodStart: timeText(startOfMonth(start, 0)),
    ChargeCategory: meter === 'adjustment' || meter === 'charge' ? 'Adjustment' : 'Usage',
    ChargeClass: isCorrection ? 'Correction' : null,
    ChargeDescription: `${sums.priced_model}: ${meterNames[meter]}${modeOf(sums)}`,
    ChargeFrequency: 'Usage-Based',
    ChargePeriodEnd: timeText(end),
    ChargePeriodStart: timeText(start),
    ConsumedQuantity: isPriced ? sums.quantity : null,
    ConsumedUnit: isPriced ? (isToken ? 'Tokens' : 'Requests') : null,
    ContractedCost: cost,
    ContractedUnitPrice: isPriced ? unitPrice : null,
    EffectiveCost: cost,
    HostProviderName: provider,
    InvoiceId: null,
    InvoiceIssuerName: provider,
    // What an aggregator charged above or below its list is no part of the list price.
    ListCost: meter === 'charge' ? '0' : cost,
    ListUnitPrice: isPriced ? unitPrice : null,
    PricingCategory: isPriced ? 'Standard' : null,
    PricingCurrency: 'USD',
    PricingCurrencyContractedUnitPrice: isPriced ? unitPrice : null,
    PricingCurrencyEffectiveCost: cost,
    PricingCurrencyListUnitPrice: isPriced ? unitPrice : null,
    PricingQuantity: isPriced ? (isToken ? shiftPoint(sums.quantity, million) : sums.quantity) : null,
    PricingUnit: isPriced ? unit : null,
    ServiceCategory: 'AI and Machine Learning',
    ServiceName: `${provider} API`,
    ServiceProviderName: provider,
    ServiceSubcategory: 'Generative AI',
    SkuId: skuId,
    SkuMeter: meterNames[meter],
    SkuPriceDetails: isPriced ? detailsText(sums, meter, hasTokenDetails) : null,
    SkuPriceId: isPriced ? `${sums.reference}#${meter}@${unitPrice}` : null,
    SubAccountId: sums.team,
    SubAccountName: sums.team,
    SubAccountType: 'Team',
    Tags: tagsText(sums),
    x_CorrectedPeriod: isCorrection ? sums.corrected_period : null,
    x_CostStatus: sums.status,
    x_EstimatedCalls: sums.estimated,
    x_OpenUpperBoundUsd: sums.bound,
    x_UnpricedCalls: sums.unpriced,
    x_UnsettledCalls: sums.unsettled,
  };
}

function modeOf({ priced_tier: tier, request_kind: kind }: FocusSums): string {
  const words = [
    ...(['', 'default', 'standard'].includes(tier) ? [] : [tier]),
    ...(kind === 'batch' ? ['batch'] : []),
  ];
  return words.length === 0 ? '' : ` (${words.join(', ')})`;
}

function detailsText(sums: FocusSums, meter: FocusMeter, hasTokenDetails: boolean): string {
  return JSON.stringify({
    ...(hasTokenDetails ? tokenDetails(sums, meter) : {}),
    x_Model: sums.priced_model,
    x_Operation: sums.operation,
    x_PriceReference: sums.reference,
    x_RequestKind: sums.request_kind,
    x_Tier: sums.priced_tier,
    x_TokenClass: meter,
  });
}

/** Keys of the 1.5 working draft. Reasoning is output; the draft has no values yet for lifetimes and modalities. */
function tokenDetails(
  { provider, priced_model: model }: FocusSums,
  meter: FocusMeter,
): Record<string, string> {
  if (!isTokenClass(meter)) return {};
  const isOutput = outputTokenClasses.includes(meter);
  const { developer, name } = developedModel(provider, model);
  return {
    ModelDeveloper: developer,
    ModelId: name,
    TokenDirection: isOutput ? 'Output' : 'Input',
    ...(isOutput ? {} : { TokenCacheAction: cacheAction(meter) }),
  };
}

function isTokenClass(meter: FocusMeter): meter is TokenClass {
  return tokenClasses.some((name) => name === meter);
}

/** Resellers name a model "<developer>/<model>". */
function developedModel(provider: string, model: string): { developer: string; name: string } {
  const [developer, ...rest] = model.split('/');
  const isResold = developer !== undefined && rest.length > 0;
  const id = isResold ? developer : provider;
  return { developer: providerNames[id] ?? id, name: isResold ? rest.join('/') : model };
}

function cacheAction(meter: TokenClass): string {
  if (meter === 'cache_read') return 'Read';
  return meter.startsWith('cache_write') ? 'Write' : 'Uncached';
}

function tagsText({ batch, customer, feature, pipeline, stage, team }: FocusSums): string {
  const named = Object.entries({ batch, customer, feature, pipeline, stage, team });
  return JSON.stringify(Object.fromEntries(named.filter(([, value]) => value !== '')));
}

/** A whole number with its point moved to the left: exact. */
function shiftPoint(whole: string, digits: number): string {
  const sign = whole.startsWith('-') ? '-' : '';
  const padded = whole.slice(sign.length).padStart(digits + 1, '0');
  const fraction = padded.slice(-digits).replace(/0+$/, '');
  return `${sign}${padded.slice(0, -digits)}${fraction === '' ? '' : `.${fraction}`}`;
}

function startOfMonth(time: Date, months: number): Date {
  return new Date(Date.UTC(time.getUTCFullYear(), time.getUTCMonth() + months, 1));
}

function timeText(time: Date): string {
  return time.toISOString().replace('.000Z', 'Z');
}
