import type { RuleCase } from './rule-case.ts';

/* Alerts about models, money and metering. Every alert fires, and not just below, before or after. */

const model = { provider: 'openai', model: 'gpt-5-mini' };
const ofModel = (metric: string, more: string): string =>
  `millrace_${metric}{provider="openai",model="gpt-5-mini"${more}}`;
const requests = (attempt: string): string =>
  ofModel('llm_requests_total', `,stage="classify",outcome="ok",error_type="",attempt="${attempt}"`);
const circuit = (state: string): string => ofModel('llm_circuit_state', `,state="${state}"`);
const budget = { team: 'search', budget: 'monthly' };
const ofBudget = (metric: string): string => `millrace_${metric}{team="search",budget="monthly"}`;
const refusals = 'millrace_budget_refusals_total{budget="monthly",action="refused"}';
const spend = (dimension: string, name: string): string =>
  `millrace_spend_over_baseline_ratio{dimension="${dimension}",name="${name}"}`;
const job = { job: 'millrace' };
const ofJob = (metric: string, more = ''): string => `millrace_${metric}{job="millrace"${more}}`;
const records = (result: string): string => ofJob('metering_events_total', `,result="${result}"`);
const unpriced = ofModel('metering_unpriced_events_total', '');
const residual = 'millrace_reconciliation_residual_usd{provider="openai"}';
const suspect = ofModel('metering_suspect_usage_total', '');
const priceMissing = {
  labels: model,
  summary: 'No price for openai/gpt-5-mini: its calls are recorded without a cost',
};

export const platformCases: Readonly<Record<string, readonly RuleCase[]>> = {
  MillraceRetryStorm: [
    {
      name: 'four of ten are retries',
      series: { [requests('first')]: '0+6x30', [requests('retry')]: '0+4x30' },
      at: {
        '4m': [],
        '15m': [{ labels: model, summary: 'openai/gpt-5-mini: 40% of requests are retries' }],
      },
    },
    {
      name: '29 % are retries',
      series: { [requests('first')]: '0+7.1x30', [requests('retry')]: '0+2.9x30' },
      at: { '15m': [] },
    },
    {
      name: 'half of 15 requests in five minutes',
      series: { [requests('first')]: '0+1.5x30', [requests('retry')]: '0+1.5x30' },
      at: { '15m': [] },
    },
  ],
  MillraceCircuitOpen: [
    {
      name: 'open, with probes in between',
      series: {
        [circuit('open')]: '1 0 1 0 1 0 1',
        [circuit('half_open')]: '0 1 0 1 0 1 0',
        [circuit('closed')]: '0x6',
      },
      at: {
        '30s': [],
        '5m': [{ labels: model, summary: 'The circuit of openai/gpt-5-mini is open' }],
      },
    },
    {
      name: 'closed again',
      series: {
        [circuit('open')]: '1 1 0x9',
        [circuit('half_open')]: '0x10',
        [circuit('closed')]: '0 0 1x9',
      },
      at: { '5m': [] },
    },
  ],
  MillraceBudgetBurn: [
    {
      name: '12 dollars an hour of 100',
      interval: '5m',
      series: { [ofBudget('budget_spent_usd')]: '0+1x80', [ofBudget('budget_limit_usd')]: '100x80' },
      at: {
        '4h': [],
        '5h': [{ labels: budget, summary: 'Budget monthly (search) runs out within a day: 60% used' }],
      },
    },
    {
      name: 'most of it is used, but it lasts',
      interval: '5m',
      series: { [ofBudget('budget_spent_usd')]: '90x80', [ofBudget('budget_limit_usd')]: '100x80' },
      at: { '5h': [] },
    },
  ],
  MillraceBudgetExhausted: [
    {
      name: 'spent to the limit',
      series: { [ofBudget('budget_spent_usd')]: '99 100x10', [ofBudget('budget_limit_usd')]: '100x10' },
      at: {
        '30s': [],
        '1m': [{ labels: budget, summary: 'Budget monthly (search) is used up: 100% spent' }],
      },
    },
    {
      name: 'work was refused, though a part is left that is too small for any call',
      series: {
        [ofBudget('budget_spent_usd')]: '97x120',
        [ofBudget('budget_limit_usd')]: '100x120',
        [refusals]: '0x20 1x100',
      },
      at: {
        '20m': [],
        '25m': [{ labels: budget, summary: 'Budget monthly (search) is used up: 97% spent' }],
        '83m': [],
      },
    },
    {
      name: 'nearly used, and nothing refused',
      series: {
        [ofBudget('budget_spent_usd')]: '99.99x120',
        [ofBudget('budget_limit_usd')]: '100x120',
        [refusals]: '3x120',
      },
      at: { '90m': [] },
    },
    {
      name: 'of tokens, used to the limit',
      series: { [ofBudget('budget_spent_tokens')]: '99 100x10', [ofBudget('budget_limit_tokens')]: '100x10' },
      at: { '1m': [{ labels: budget, summary: 'Budget monthly (search) is used up: 100% spent' }] },
    },
    {
      name: 'a budget that only warns',
      series: {
        [ofBudget('budget_spent_usd')]: '150x10',
        [ofBudget('budget_limit_usd')]: '100x10',
        [ofBudget('budget_enforced')]: '0x10',
      },
      at: { '5m': [] },
    },
    {
      name: 'another budget refuses',
      series: {
        [ofBudget('budget_spent_usd')]: '50x60',
        [ofBudget('budget_limit_usd')]: '100x60',
        'millrace_budget_refusals_total{budget="daily",action="parked"}': '0+1x60',
      },
      at: { '30m': [] },
    },
  ],
  MillraceBudgetShareReached: [
    {
      name: 'a share is reached, until the window turns',
      series: {
        'millrace_budget_alert_reached{team="search",budget="monthly",percent="80"}': '0 1x5 0x5',
        'millrace_budget_alert_reached{team="search",budget="monthly",percent="100"}': '0x11',
      },
      at: {
        '30s': [],
        '3m': [
          {
            labels: { ...budget, percent: '80' },
            summary: 'Budget monthly (search) has used 80% of its limit',
          },
        ],
        '8m': [],
      },
    },
  ],
  MillraceSpendOverBaseline: [
    {
      name: 'three and a half times as much, and the team is told of its own',
      series: { [spend('team', 'search')]: '3.5x60', [spend('customer', 'a & b')]: '4.26x60' },
      at: {
        '14m30s': [],
        '15m': [
          {
            labels: { dimension: 'team', name: 'search', team: 'search' },
            summary: 'Spend of team search is 3.5 times its usual amount',
          },
          {
            labels: { dimension: 'customer', name: 'a & b' },
            summary: 'Spend of customer a & b is 4.3 times its usual amount',
          },
        ],
      },
    },
    { name: 'three times', series: { [spend('feature', 'triage')]: '3x60' }, at: { '30m': [] } },
  ],
  MillracePriceMissing: [
    {
      name: 'the very first call, whose series begins at 1',
      series: { [unpriced]: '_x10 1x60' },
      at: { '9m': [], '10m': [priceMissing], '30m': [] },
    },
    {
      name: 'one more',
      series: { [unpriced]: '7x29 8x60' },
      at: { '29m': [], '31m': [priceMissing], '50m': [] },
    },
    { name: 'none lately', series: { [unpriced]: '7x60' }, at: { '30m': [] } },
  ],
  MillraceSuspectUsage: [
    {
      name: 'one call',
      series: { [suspect]: '_x10 1x60' },
      at: {
        '9m': [],
        '10m': [
          {
            labels: model,
            summary: 'openai/gpt-5-mini reported more tokens than its requests can have caused',
          },
        ],
        '30m': [],
      },
    },
    { name: 'none lately', series: { [suspect]: '3x60' }, at: { '30m': [] } },
  ],
  MillraceBillUnexplained: [
    {
      name: 'two dollars',
      series: { [residual]: '2x60' },
      at: {
        '14m': [],
        '15m': [
          {
            labels: { provider: 'openai' },
            summary: 'The bill of openai has 2.00 USD that nothing explains',
          },
        ],
      },
    },
    { name: 'a cent', series: { [residual]: '0.01x60' }, at: { '30m': [] } },
  ],
  MillraceMeteringLag: [
    {
      name: 'two minutes and a second',
      series: { [ofJob('export_lag_seconds')]: '121x20' },
      at: { '4m30s': [], '5m': [{ labels: job, summary: 'Usage has waited 2m 1s to reach ClickHouse' }] },
    },
    { name: 'two minutes', series: { [ofJob('export_lag_seconds')]: '120x20' }, at: { '15m': [] } },
  ],
  MillraceMeteringStuck: [
    {
      name: 'no record is flushed after the 20th minute',
      series: { [ofJob('export_pending_records')]: '10x60', [records('flushed')]: '0+1x20 20x40' },
      at: {
        '20m': [],
        '39m': [],
        '41m': [
          {
            labels: job,
            summary: '10 usage records or more wait, and none reached ClickHouse for 15 minutes',
          },
        ],
      },
    },
    {
      name: 'nothing waits',
      series: { [ofJob('export_pending_records')]: '0x60', [records('flushed')]: '20x60' },
      at: { '40m': [] },
    },
    {
      name: 'the records of the last minutes wait',
      series: { [ofJob('export_pending_records')]: '0x30 5x10', [records('flushed')]: '20x60' },
      at: { '38m': [] },
    },
  ],
  MillraceMeteringDropped: [
    {
      name: 'two are lost',
      series: { [records('dropped')]: '0x30 2x30' },
      at: { '30m': [], '32m': [{ labels: job, summary: '2 usage records were lost' }] },
    },
    { name: 'none is', series: { [records('dropped')]: '0x60' }, at: { '1m': [], '40m': [] } },
  ],
  MillraceCallsUnsettled: [
    {
      name: 'open for more than an hour',
      series: { [ofJob('calls_unsettled_oldest_seconds')]: '3720x60' },
      at: {
        '14m30s': [],
        '15m': [{ labels: job, summary: 'A call of unknown outcome has been open for 1h 2m 0s' }],
      },
    },
    { name: 'an hour', series: { [ofJob('calls_unsettled_oldest_seconds')]: '3600x60' }, at: { '30m': [] } },
  ],
  MillraceOriginIncomplete: [
    {
      name: 'one of a thousand',
      series: { [ofJob('origin_coverage_ratio')]: '1 0.999x9' },
      at: {
        '30s': [],
        '1m': [{ labels: job, summary: 'Only 99.9% of calls and messages have a complete origin' }],
      },
    },
    { name: 'all', series: { [ofJob('origin_coverage_ratio')]: '1x9' }, at: { '5m': [] } },
  ],
};
