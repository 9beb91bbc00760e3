import type { RuleCase } from './rule-case.ts';

/* Alerts about batches and webhooks. Every alert fires, and not just below, before or after. */

const labels = { job: 'millrace' };
const of = (metric: string, instance = 'a', more = ''): string =>
  `millrace_${metric}{job="millrace",instance="${instance}"${more}}`;
const halted = of('batches', 'a', ',state="halted"');
const disabled = (cause: string): string => of('webhook_endpoints_disabled', 'a', `,cause="${cause}"`);
const unresolved = (instance: string): string => of('provider_batches', instance, ',state="unresolved"');

export const batchCases: Readonly<Record<string, readonly RuleCase[]>> = {
  MillraceBatchStuck: [
    {
      name: 'nothing has moved since the beginning',
      series: { [of('batch_quiet_seconds')]: '0+60x60' },
      at: {
        '30m': [],
        '34m': [],
        '40m': [{ labels, summary: 'Nothing has moved in a running batch for 40m 0s' }],
      },
    },
    {
      name: 'an item ends every half hour',
      series: { [of('batch_quiet_seconds')]: '0+60x29 0+60x29 0+60x29' },
      at: { '29m': [], '59m': [], '89m': [] },
    },
    {
      name: 'moves again',
      series: { [of('batch_quiet_seconds')]: '1700+60x20 0x20' },
      at: { '15m': [{ labels, summary: 'Nothing has moved in a running batch for 43m 20s' }], '25m': [] },
    },
  ],
  MillraceBatchHalted: [
    {
      name: 'one of two halted, until it is resumed',
      series: { [halted]: '0 0 1x10 0x10', [of('batches', 'a', ',state="running"')]: '2 2 1x10 2x10' },
      at: {
        '2m': [],
        '5m': [
          {
            labels,
            summary: '1 halted: too much failed in the same way, or a store or sink was away',
          },
        ],
        '15m': [],
      },
    },
    {
      name: 'paused by somebody',
      series: { [halted]: '0x20', [of('batches', 'a', ',state="paused"')]: '1x20' },
      at: { '15m': [] },
    },
  ],
  MillraceBatchDeadlineAtRisk: [
    {
      name: 'two are late for a quarter of an hour, as both processes say',
      series: {
        [of('batches_deadline_at_risk')]: '0 2x30',
        [of('batches_deadline_at_risk', 'b')]: '0 2x30',
      },
      at: {
        '10m': [],
        '15m': [{ labels, summary: '2 running batches end after their deadline at the present rate' }],
      },
    },
    {
      name: 'late for some minutes, while a model was slow',
      series: { [of('batches_deadline_at_risk')]: '0 1x8 0x20' },
      at: { '8m': [], '12m': [] },
    },
  ],
  MillraceWebhookNotTaken: [
    {
      name: 'something that nobody takes',
      series: { [of('webhook_oldest_waiting_seconds')]: '0+60x40' },
      at: {
        '10m': [],
        '16m': [{ labels, summary: 'A webhook has not taken what it was sent for 16m 0s' }],
      },
    },
    {
      name: 'something that is taken after some attempts',
      series: { [of('webhook_oldest_waiting_seconds')]: '0+60x9 0x20' },
      at: { '12m': [], '20m': [] },
    },
  ],
  MillraceWebhookDisabled: [
    {
      name: 'two that took nothing, until they are enabled',
      series: { [disabled('exhausted')]: '0 0 2x10 0x10', [disabled('operator')]: '1x22' },
      at: {
        '1m': [],
        '4m': [{ labels, summary: '2 webhooks are disabled: they took nothing for some three days' }],
        '15m': [],
      },
    },
    {
      name: 'those that say they are gone, or that an operator disabled',
      series: { [disabled('gone')]: '3x20', [disabled('operator')]: '1x20', [disabled('exhausted')]: '0x20' },
      at: { '15m': [] },
    },
  ],
  MillraceProviderBatchUnresolved: [
    {
      name: 'one that nobody decides about',
      series: { [unresolved('a')]: '0 1x30', [unresolved('b')]: '0 1x30' },
      at: { '5m': [], '10m': [{ labels, summary: '1 batches at providers wait for a decision' }] },
    },
    {
      name: 'batches that run',
      series: { [of('provider_batches', 'a', ',state="running"')]: '3x30', [unresolved('a')]: '0x30' },
      at: { '20m': [] },
    },
  ],
  MillraceProviderBatchHindered: [
    {
      name: 'the key of its provider is gone, until it is back',
      series: { [of('provider_batch_hindered_seconds')]: '0+60x30 0x20' },
      at: {
        '15m': [],
        '19m': [],
        '25m': [{ labels, summary: 'A batch at a provider has not gone on for 25m 0s' }],
        '35m': [],
      },
    },
    {
      name: 'some looks fail, and the next does not',
      series: { [of('provider_batch_hindered_seconds')]: '0+60x12 0+60x12 0+60x12' },
      at: { '12m': [], '36m': [] },
    },
  ],
};
