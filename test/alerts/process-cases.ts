import type { RuleCase } from './rule-case.ts';

/* Alerts about the processes themselves, their clocks, background jobs and bounds, and the alerting. */

const job = { job: 'millrace' };
const ofJob = (metric: string, more = ''): string => `millrace_${metric}{job="millrace"${more}}`;
const process = { ...job, instance: '10.0.0.7:8080' };
const ofProcess = (metric: string, more = ''): string =>
  `millrace_${metric}{job="millrace",instance="${process.instance}"${more}}`;
const failing = (job: string, instance = process.instance): string =>
  `millrace_background_failing_seconds{job="millrace",instance="${instance}",background_job="${job}"}`;

export const processCases: Readonly<Record<string, readonly RuleCase[]>> = {
  MillraceBoundNear: [
    {
      name: 'over nine tenths',
      series: { [ofJob('bound_used_ratio', ',bound="metric_series"')]: '0.92x20' },
      at: {
        '4m30s': [],
        '5m': [
          { labels: { ...job, bound: 'metric_series' }, summary: 'The bound "metric_series" is 92% used' },
        ],
      },
    },
    {
      name: 'nine tenths',
      series: { [ofJob('bound_used_ratio', ',bound="metric_series"')]: '0.9x20' },
      at: { '15m': [] },
    },
  ],
  MillraceVitalBackgroundJobFailing: [
    {
      name: 'a sweep that never succeeds',
      interval: '30s',
      series: { [failing('sweep')]: '0 0+30x30', [failing('release_pauses')]: '0x31' },
      at: {
        '5m30s': [],
        '6m': [
          {
            labels: { ...process, background_job: 'sweep' },
            summary: 'Messages may stand still: sweep of 10.0.0.7:8080 has failed for 5m 30s',
          },
        ],
      },
    },
    {
      name: 'one turn succeeds after 5 minutes, and in the end all do',
      interval: '30s',
      series: { [failing('release_budgets')]: '0+30x10 0+30x12 0x20' },
      at: {
        '5m': [],
        '6m': [],
        '11m30s': [
          {
            labels: { ...process, background_job: 'release_budgets' },
            summary: 'Messages may stand still: release_budgets of 10.0.0.7:8080 has failed for 6m 0s',
          },
        ],
        '12m': [],
      },
    },
    {
      name: 'a background job that is not vital',
      series: { [failing('export')]: '900x20' },
      at: { '10m': [] },
    },
  ],
  MillraceBackgroundJobFailing: [
    {
      name: 'an export that never succeeds, while another process has nothing to complain about',
      interval: '30s',
      series: { [failing('export')]: '0 0+30x30', [failing('export', '10.0.0.8:8080')]: '0x31' },
      at: {
        '5m30s': [],
        '6m': [
          {
            labels: { ...process, background_job: 'export' },
            summary: 'The background job export of 10.0.0.7:8080 has failed for 5m 30s',
          },
        ],
      },
    },
    {
      name: 'an hourly background job: its first failure, its second an hour later, then a success',
      series: { [failing('retention')]: '0x90 3600x60 0x10' },
      at: {
        '90m': [],
        '92m': [
          {
            labels: { ...process, background_job: 'retention' },
            summary: 'The background job retention of 10.0.0.7:8080 has failed for 1h 0m 0s',
          },
        ],
        '152m': [],
      },
    },
    { name: 'five minutes', series: { [failing('gauges')]: '300x20' }, at: { '15m': [] } },
    { name: 'a vital background job', series: { [failing('sweep')]: '900x20' }, at: { '10m': [] } },
  ],
  MillraceClockOff: [
    {
      name: 'an hour behind, and later right again',
      interval: '30s',
      series: { [ofProcess('clock_offset_seconds')]: '0 3600x6 0x10' },
      at: {
        '1m': [],
        '2m': [{ labels: process, summary: 'The clock of 10.0.0.7:8080 is 1h 0m 0s from the ledger’s' }],
        '5m': [],
      },
    },
    {
      name: 'three seconds ahead',
      series: { [ofProcess('clock_offset_seconds')]: '-3x10' },
      at: { '5m': [{ labels: process, summary: 'The clock of 10.0.0.7:8080 is 3s from the ledger’s' }] },
    },
    { name: 'two seconds', series: { [ofProcess('clock_offset_seconds')]: '2x10' }, at: { '5m': [] } },
  ],
  MillraceClockJumped: [
    {
      name: 'forward and back within a scrape',
      interval: '30s',
      series: { [ofProcess('clock_jumps_total', ',clock="process"')]: '0x4 2x40' },
      at: {
        '1m': [],
        '3m': [
          {
            labels: { ...process, clock: 'process' },
            summary: 'The clock of the process jumped, as 10.0.0.7:8080 saw it',
          },
        ],
        '13m': [],
      },
    },
    {
      name: 'no jump',
      series: { [ofProcess('clock_jumps_total', ',clock="ledger"')]: '3x20' },
      at: { '10m': [] },
    },
  ],
  MillraceTargetDown: [
    {
      name: 'no scrape for three minutes',
      series: { 'up{job="millrace-worker",instance="10.0.0.7:8080"}': '1 0x10' },
      at: {
        '3m30s': [],
        '4m': [
          {
            labels: { job: 'millrace-worker', instance: '10.0.0.7:8080' },
            summary: '10.0.0.7:8080 cannot be scraped',
          },
        ],
      },
    },
    {
      name: 'something else is down',
      series: { 'up{job="node",instance="10.0.0.7:9100"}': '0x10' },
      at: { '9m': [] },
    },
  ],
  MillraceAbsent: [
    {
      name: 'the last process is gone',
      series: { 'millrace_build_info{version="1",role="api"}': '1x10 stale' },
      at: { '15m': [], '16m30s': [{ summary: 'No Millrace process is being scraped' }] },
    },
    {
      name: 'one is left',
      series: { 'millrace_build_info{version="1",role="api"}': '1x60' },
      at: { '30m': [] },
    },
  ],
  Watchdog: [
    {
      name: 'always',
      series: {},
      at: { '1m': [{ summary: 'Always firing: its silence means that alerting is broken' }] },
    },
  ],
};
