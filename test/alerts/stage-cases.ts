import type { RuleCase } from './rule-case.ts';

/* Alerts about stages: dead letters, backlog, success. Every alert fires, and not just below, before or after. */

const stage = { owner: 'search', stage: 'classify' };
const of = (metric: string, more = ''): string =>
  `millrace_${metric}{owner="search",stage="classify"${more}}`;
const deaths = (instance = 'a'): string =>
  of('dead_letters_total', `,reason="not_retryable",instance="${instance}"`);
const depth = of('dead_letters');
const ended = (outcome: string, instance = 'a'): string =>
  of('stage_messages_total', `,outcome="${outcome}",instance="${instance}"`);
const backlog = (state: string, lane = 'standard', instance = 'a'): string =>
  of('stage_backlog', `,lane="${lane}",state="${state}",instance="${instance}"`);

export const stageCases: Readonly<Record<string, readonly RuleCase[]>> = {
  MillraceDeadLettersSuspicious: [
    {
      name: 'six within the hour, and they are still there',
      series: { [deaths()]: '0x30 6x60', [depth]: '0x30 6x60' },
      at: {
        '30m': [],
        '80m30s': [{ labels: stage, summary: 'classify: 6 messages dead-lettered in the last hour' }],
        '95m': [],
      },
    },
    {
      name: 'five are not suspicious, however the rate is extrapolated',
      series: { [deaths()]: '0x30 5x60', [depth]: '0x30 9x60' },
      at: { '40m': [], '80m30s': [] },
    },
    {
      name: 'replayed or discarded down to five',
      series: { [deaths()]: '0x30 6x60', [depth]: '0x30 6x9 5x60' },
      at: {
        '40m': [{ labels: stage, summary: 'classify: 6 messages dead-lettered in the last hour' }],
        '41m': [],
      },
    },
    {
      name: 'two processes count their own deaths and report the same depth',
      series: {
        [deaths('a')]: '0x30 3x60',
        [deaths('b')]: '0x30 3x60',
        [of('dead_letters', ',instance="a"')]: '0x30 6x60',
        [of('dead_letters', ',instance="b"')]: '0x30 6x60',
      },
      at: { '40m': [{ labels: stage, summary: 'classify: 6 messages dead-lettered in the last hour' }] },
    },
    {
      name: 'a depth that two processes report is not twice as deep',
      series: {
        [deaths()]: '0x30 6x60',
        [of('dead_letters', ',instance="a"')]: '4x90',
        [of('dead_letters', ',instance="b"')]: '4x90',
      },
      at: { '40m': [] },
    },
  ],
  MillraceDeadLettersOutage: [
    {
      name: '501 within the hour',
      series: { [deaths()]: '0x30 501x60', [depth]: '0x30 501x60' },
      at: {
        '30m': [],
        '40m': [{ labels: stage, summary: 'classify: outage, 501 messages dead-lettered in the last hour' }],
      },
    },
    {
      name: '500 are no outage yet',
      series: { [deaths()]: '0x30 500x60', [depth]: '0x30 500x60' },
      at: { '40m': [] },
    },
    {
      name: 'all were replayed',
      series: { [deaths()]: '0x30 501x60', [depth]: '0x30 501x9 0x50' },
      at: { '41m': [] },
    },
  ],
  MillraceDeadLettersUndrained: [
    {
      name: 'more than a day old, for a quarter of an hour',
      series: { [of('dead_letters_oldest_age_seconds')]: '90000x60', [depth]: '1x60' },
      at: {
        '14m30s': [],
        '15m': [{ labels: stage, summary: 'classify: a dead letter has waited for 1d 1h 0m 0s' }],
      },
    },
    {
      name: 'a day old',
      series: { [of('dead_letters_oldest_age_seconds')]: '86400x60', [depth]: '1x60' },
      at: { '30m': [] },
    },
    {
      name: 'nothing is left',
      series: { [of('dead_letters_oldest_age_seconds')]: '90000x60', [depth]: '0x60' },
      at: { '30m': [] },
    },
  ],
  MillraceBacklogSlow: [
    {
      name: '1200 wait, one a second ends, the limit is 15 minutes; two processes report the same backlog',
      series: {
        [backlog('ready', 'standard', 'a')]: '1000x60',
        [backlog('ready', 'standard', 'b')]: '1000x60',
        [backlog('ready', 'bulk', 'a')]: '200x60',
        [ended('success', 'a')]: '0+30x60',
        [ended('success', 'b')]: '0+30x60',
        [of('stage_drain_slo_seconds')]: '900x60',
      },
      at: {
        '10m': [],
        '20m': [
          { labels: stage, summary: 'classify: the backlog needs 20m 0s to drain at the present rate' },
        ],
      },
    },
    {
      name: 'exactly the limit',
      series: {
        [backlog('ready')]: '1200x60',
        [ended('success')]: '0+60x60',
        [of('stage_drain_slo_seconds')]: '1200x60',
      },
      at: { '30m': [] },
    },
    {
      name: 'what is parked, delayed or being worked on does not wait',
      series: {
        [backlog('ready')]: '60x60',
        [backlog('parked')]: '90000x60',
        [backlog('delayed')]: '90000x60',
        [backlog('leased')]: '90000x60',
        [ended('success')]: '0+60x60',
        [of('stage_drain_slo_seconds')]: '900x60',
      },
      at: { '30m': [] },
    },
    {
      name: 'the stage is paused',
      series: {
        [backlog('ready')]: '12000x60',
        [ended('success')]: '0+60x60',
        [of('stage_drain_slo_seconds')]: '900x60',
        [of('stage_paused')]: '1x60',
      },
      at: { '30m': [] },
    },
  ],
  MillraceBacklogStalled: [
    {
      name: 'nothing ends after the 20th minute, and three wait',
      series: {
        [backlog('ready')]: '3x60',
        [ended('success')]: '0+1x20 20x40',
        [of('stage_paused')]: '0x60',
      },
      at: {
        '20m': [],
        '34m': [],
        '36m': [{ labels: stage, summary: 'classify: 3 waiting and nothing ended for 10 minutes' }],
      },
    },
    {
      name: 'nothing waits',
      series: { [backlog('ready')]: '0x60', [ended('success')]: '20x60' },
      at: { '40m': [] },
    },
    {
      name: 'something ends every nine minutes',
      series: { [backlog('ready')]: '3x60', [ended('success')]: '0x8 1x8 2x8 3x8 4x8 5x8' },
      at: { '20m': [], '45m': [] },
    },
    {
      name: 'the stage is paused',
      series: {
        [backlog('ready')]: '3x60',
        [ended('success')]: '20x60',
        [of('stage_paused')]: '1x60',
      },
      at: { '40m': [] },
    },
  ],
  MillraceStagePaused: [
    {
      name: 'paused for half an hour',
      series: { [of('stage_paused')]: '1x60' },
      at: {
        '29m30s': [],
        '30m': [{ labels: stage, summary: 'classify has been paused for more than 30 minutes' }],
      },
    },
    {
      name: 'resumed for a moment in between',
      series: { [of('stage_paused')]: '1x20 0 1x20' },
      at: { '40m': [] },
    },
  ],
  MillraceSuccessBurnFast: [
    {
      name: 'a fifth fails',
      series: { [ended('success')]: '0+8x90', [ended('dead_lettered')]: '0+2x90' },
      at: {
        '5m': [],
        '20m': [{ labels: stage, summary: 'classify: 20% of messages failed in the last hour' }],
      },
    },
    {
      name: '14 % fail',
      series: { [ended('success')]: '0+8.6x90', [ended('dead_lettered')]: '0+1.4x90' },
      at: { '60m': [] },
    },
    {
      name: 'a fifth of 45 an hour',
      series: { [ended('success')]: '0+0.6x120', [ended('dead_lettered')]: '0+0.15x120' },
      at: { '90m': [] },
    },
    {
      name: 'a fifth of 54 an hour',
      series: { [ended('success')]: '0+0.72x120', [ended('dead_lettered')]: '0+0.18x120' },
      at: {
        '90m': [{ labels: stage, summary: 'classify: 20% of messages failed in the last hour' }],
      },
    },
    {
      name: 'it is over: the last minutes are good',
      series: { [ended('success')]: '0+8x60', [ended('dead_lettered')]: '0+2x30 60x30' },
      at: { '40m': [] },
    },
    {
      name: 'cancelled messages count on neither side',
      series: { [ended('success')]: '0+10x60', [ended('skipped')]: '0+50x60' },
      at: { '40m': [] },
    },
  ],
  MillraceSuccessBurnSlow: [
    {
      name: '7 % fail',
      series: { [ended('success')]: '0+9.3x200', [ended('dead_lettered')]: '0+0.7x200' },
      at: {
        '15m': [],
        '60m': [{ labels: stage, summary: 'classify: 7% of messages failed in the last 6 hours' }],
      },
    },
    {
      name: '5.9 % fail',
      series: { [ended('success')]: '0+9.41x200', [ended('dead_lettered')]: '0+0.59x200' },
      at: { '120m': [] },
    },
    {
      name: '7 % of 42 in six hours',
      series: { [ended('success')]: '0+0.1085x400', [ended('dead_lettered')]: '0+0.0082x400' },
      at: { '390m': [] },
    },
  ],
};
