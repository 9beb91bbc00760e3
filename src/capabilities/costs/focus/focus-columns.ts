/*
 * The columns of a FOCUS 1.4 "Cost and Usage" dataset that Millrace fills (FinOps Open Cost and Usage Specification, ratified
 * 2026-06-04), in the order in which they are written: the mandatory ones, conditional and recommended ones that it has
 * values for, and its own, which begin with `x_` as the specification asks.
 */

/** How a column's values are written. Decimals are exact; times are UTC. */
export type FocusKind = 'text' | 'decimal' | 'time' | 'json' | 'count';

export interface FocusColumn {
  readonly name: string;
  readonly kind: FocusKind;
  readonly isNullable: boolean;
  /** Whether the specification demands the column of every dataset. */
  readonly isMandatory: boolean;
}

const mandatory = <const Name extends string>(name: Name, kind: FocusKind, isNullable = false) =>
  ({ name, kind, isNullable, isMandatory: true }) as const;
const optional = <const Name extends string>(name: Name, kind: FocusKind, isNullable = true) =>
  ({ name, kind, isNullable, isMandatory: false }) as const;

export const focusColumns = [
  mandatory('BilledCost', 'decimal'),
  mandatory('BillingAccountId', 'text'),
  mandatory('BillingAccountName', 'text', true),
  mandatory('BillingCurrency', 'text'),
  mandatory('BillingPeriodEnd', 'time'),
  mandatory('BillingPeriodStart', 'time'),
  mandatory('ChargeCategory', 'text'),
  mandatory('ChargeClass', 'text', true),
  mandatory('ChargeDescription', 'text', true),
  optional('ChargeFrequency', 'text', false),
  mandatory('ChargePeriodEnd', 'time'),
  mandatory('ChargePeriodStart', 'time'),
  optional('ConsumedQuantity', 'decimal'),
  optional('ConsumedUnit', 'text'),
  mandatory('ContractedCost', 'decimal'),
  optional('ContractedUnitPrice', 'decimal'),
  mandatory('EffectiveCost', 'decimal'),
  mandatory('HostProviderName', 'text'),
  optional('InvoiceId', 'text'),
  mandatory('InvoiceIssuerName', 'text'),
  mandatory('ListCost', 'decimal'),
  optional('ListUnitPrice', 'decimal'),
  optional('PricingCategory', 'text'),
  optional('PricingCurrency', 'text', false),
  optional('PricingCurrencyContractedUnitPrice', 'decimal'),
  optional('PricingCurrencyEffectiveCost', 'decimal', false),
  optional('PricingCurrencyListUnitPrice', 'decimal'),
  mandatory('PricingQuantity', 'decimal', true),
  mandatory('PricingUnit', 'text', true),
  mandatory('ServiceCategory', 'text'),
  mandatory('ServiceName', 'text'),
  mandatory('ServiceProviderName', 'text'),
  optional('ServiceSubcategory', 'text', false),
  optional('SkuId', 'text', false),
  optional('SkuMeter', 'text', false),
  optional('SkuPriceDetails', 'json'),
  optional('SkuPriceId', 'text'),
  optional('SubAccountId', 'text'),
  optional('SubAccountName', 'text'),
  optional('SubAccountType', 'text'),
  optional('Tags', 'json', false),
  optional('x_CorrectedPeriod', 'text'),
  optional('x_CostStatus', 'text', false),
  optional('x_EstimatedCalls', 'count', false),
  optional('x_OpenUpperBoundUsd', 'decimal', false),
  optional('x_UnpricedCalls', 'count', false),
  optional('x_UnsettledCalls', 'count', false),
] as const satisfies readonly FocusColumn[];

export type FocusColumnName = (typeof focusColumns)[number]['name'];

/** One row by its columns; decimals and counts as plain decimal text, times as ISO 8601 in UTC, JSON as its text. */
export type FocusRow = Readonly<Record<FocusColumnName, string | null>>;
