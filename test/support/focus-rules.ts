import {
  focusColumns,
  type FocusColumn,
  type FocusRow,
} from '../../src/capabilities/costs/focus/focus-columns.ts';
import { usd } from '../../src/kernel/money.ts';

/*
 * What FOCUS 1.4 asks of a row of "Cost and Usage", as far as Millrace's columns go, written down from the specification and
 * not from the code that makes rows.
 */

const decimal = /^-?\d+(\.\d+)?$/;
const time = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;
const chargeCategories = ['Usage', 'Purchase', 'Tax', 'Credit', 'Adjustment'];
const pricingCategories = ['Standard', 'Dynamic', 'Committed', 'Other'];
const chargeFrequencies = ['One-Time', 'Recurring', 'Usage-Based'];

/** The 21 columns that the specification demands of every dataset, and which of them may be null. */
const mandatory: Readonly<Record<string, boolean>> = {
  BilledCost: false,
  BillingAccountId: false,
  BillingAccountName: true,
  BillingCurrency: false,
  BillingPeriodStart: false,
  BillingPeriodEnd: false,
  ChargeCategory: false,
  ChargeClass: true,
  ChargeDescription: true,
  ChargePeriodStart: false,
  ChargePeriodEnd: false,
  ContractedCost: false,
  EffectiveCost: false,
  HostProviderName: false,
  InvoiceIssuerName: false,
  ListCost: false,
  PricingQuantity: true,
  PricingUnit: true,
  ServiceCategory: false,
  ServiceName: false,
  ServiceProviderName: false,
};

/** What is wrong with the columns of a dataset; nothing when they are as they should be. */
export function columnFaults(names: readonly string[]): string[] {
  return [
    ...Object.keys(mandatory)
      .filter((name) => !names.includes(name))
      .map((name) => `${name} is missing`),
    ...names.filter((name, index) => names.indexOf(name) !== index).map((name) => `${name} is there twice`),
    ...names
      .filter((name) => !/^(x_)?[A-Z][A-Za-z0-9]*$/.test(name))
      .map((name) => `${name} is no column's name`),
  ];
}

/** What is wrong with a row; nothing when it is as it should be. */
export function rowFaults(row: FocusRow): string[] {
  return [...focusColumns.flatMap((column) => valueFaults(column, row)), ...relationFaults(row)];
}

function valueFaults({ name, kind }: FocusColumn, row: FocusRow): string[] {
  const value = row[name as keyof FocusRow];
  if (value === null) return mandatory[name] === false ? [`${name} is null`] : [];
  if (kind === 'decimal' && !decimal.test(value)) return [`${name} is no decimal: ${value}`];
  if (kind === 'time' && !time.test(value)) return [`${name} is no time in UTC: ${value}`];
  if (kind === 'count' && !/^-?\d+$/.test(value)) return [`${name} is no whole number: ${value}`];
  if (kind === 'json' && typeof JSON.parse(value) !== 'object')
    return [`${name} is no JSON object: ${value}`];
  return [];
}

function relationFaults(row: FocusRow): string[] {
  const faults: string[] = [];
  const check = (isKept: boolean, fault: string): void => {
    if (!isKept) faults.push(fault);
  };
  check(chargeCategories.includes(row.ChargeCategory ?? ''), `ChargeCategory ${row.ChargeCategory}`);
  check(row.ChargeClass === null || row.ChargeClass === 'Correction', `ChargeClass ${row.ChargeClass}`);
  check(chargeFrequencies.includes(row.ChargeFrequency ?? ''), `ChargeFrequency ${row.ChargeFrequency}`);
  check(/^[A-Z]{3}$/.test(row.BillingCurrency ?? ''), 'BillingCurrency is a code of ISO 4217');
  const [periodStart, periodEnd, start, end] = [
    row.BillingPeriodStart,
    row.BillingPeriodEnd,
    row.ChargePeriodStart,
    row.ChargePeriodEnd,
  ].map((text) => Date.parse(text ?? ''));
  check(
    periodStart !== undefined &&
      start !== undefined &&
      end !== undefined &&
      periodEnd !== undefined &&
      periodStart <= start &&
      start < end &&
      end <= periodEnd,
    'the charge period lies in the billing period',
  );
  const isPriced = row.SkuPriceId !== null;
  check(isPriced === (row.PricingQuantity !== null), 'a price has a quantity');
  check(isPriced === (row.PricingUnit !== null), 'a price has a unit');
  check(isPriced === (row.ListUnitPrice !== null), 'a price has a list unit price');
  check(isPriced === (row.ContractedUnitPrice !== null), 'a price has a contracted unit price');
  check(isPriced === (row.PricingCategory !== null), 'a price has a category');
  check(
    row.PricingCategory === null || pricingCategories.includes(row.PricingCategory),
    `PricingCategory ${row.PricingCategory}`,
  );
  check((row.ConsumedQuantity === null) === (row.ConsumedUnit === null), 'a consumed quantity has a unit');
  check(row.SkuPriceDetails === null || isPriced, 'only a price has details');
  if (row.PricingQuantity !== null && row.ListUnitPrice !== null && row.ContractedUnitPrice !== null) {
    const quantity = usd(row.PricingQuantity);
    check(quantity.times(row.ListUnitPrice).eq(row.ListCost ?? ''), 'list cost = list unit price × quantity');
    check(
      quantity.times(row.ContractedUnitPrice).eq(row.ContractedCost ?? ''),
      'contracted cost = contracted unit price × quantity',
    );
  }
  const details = JSON.parse(row.SkuPriceDetails ?? '{}') as Record<string, unknown>;
  const known = [
    'ModelDeveloper',
    'ModelFamily',
    'ModelId',
    'ModelVersion',
    'TokenDirection',
    'TokenCacheAction',
  ];
  for (const key of Object.keys(details)) {
    check(key.startsWith('x_') || known.includes(key), `SkuPriceDetails has no key ${key}`);
  }
  check(
    details['TokenDirection'] !== 'Output' || details['TokenCacheAction'] === undefined,
    'output is not cached',
  );
  return faults;
}
