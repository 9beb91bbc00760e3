import type { RuleCase } from './rule-case.ts';

/* Alerts about requests. Every alert fires, and not just below, before or after. */

const labels = { job: 'millrace' };
const of = (metric: string, more = ''): string => `millrace_${metric}{job="millrace",instance="a"${more}}`;
const refused = (reason: string): string => of('requests_refused_total', `,reason="${reason}"`);
const ended = (end: string): string => of('requests_ended_total', `,end="${end}"`);

export const requestCases: Readonly<Record<string, readonly RuleCase[]>> = {
  MillraceRequestsRefused: [
    {
      name: 'a pipeline is full for ten minutes',
      series: { [refused('backlog')]: '0x5 0+12x10 120x20' },
      at: {
        '4m': [],
        '15m': [{ labels, summary: '60 requests were refused in a few minutes' }],
        '25m': [],
      },
    },
    {
      name: 'clients send what is not valid, and one is refused now and then',
      series: { [refused('invalid')]: '0+100x30', [refused('backlog')]: '0+1x30' },
      at: { '10m': [], '29m': [] },
    },
  ],
  MillraceRequestsOld: [
    {
      name: 'one does not end',
      series: { [of('request_oldest_open_seconds')]: '0+60x90' },
      at: { '60m': [], '70m': [{ labels, summary: 'A request has not ended for 1h 10m 0s' }] },
    },
    {
      name: 'each ends in time',
      series: { [of('request_oldest_open_seconds')]: '0+60x55 0+60x55' },
      at: { '54m': [], '100m': [] },
    },
  ],
  MillraceRequestsFailing: [
    {
      name: 'every second one fails',
      series: { [ended('failed')]: '0+5x40', [ended('completed')]: '0+5x40' },
      at: { '3m': [], '30m': [{ labels, summary: '50% of the requests that ended failed' }] },
    },
    {
      name: 'few ended, and one of them failed',
      series: { [ended('failed')]: '0x5 1x30', [ended('completed')]: '0x5 2x30' },
      at: { '12m': [] },
    },
    {
      name: 'one in ten fails',
      series: { [ended('failed')]: '0+1x40', [ended('completed')]: '0+9x40' },
      at: { '30m': [] },
    },
  ],
  MillraceRequestEventsDropped: [
    {
      name: 'Redis is away for ten minutes',
      series: { [of('request_events_dropped_total')]: '0x5 0+50x10 500x20' },
      at: {
        '4m': [],
        '15m': [{ labels, summary: '500 events of requests were not written in some minutes' }],
        '30m': [],
      },
    },
    {
      name: 'some are dropped now and then',
      series: { [of('request_events_dropped_total')]: '0+5x30' },
      at: { '15m': [], '29m': [] },
    },
  ],
};
