import type { RuleCase } from './rule-case.ts';

/* Alerts about schedules. */

const labels = { job: 'millrace' };
const of = (metric: string, more = ''): string => `millrace_${metric}{job="millrace",instance="a"${more}}`;
const failing = of('schedules', ',state="failing"');
const overdue = of('schedules_overdue_seconds');

export const scheduleCases: Readonly<Record<string, readonly RuleCase[]>> = {
  MillraceScheduleFailing: [
    {
      name: 'the message of one is refused, until it is admitted again',
      series: { [failing]: '0x4 1x10 0x10', [of('schedules', ',state="active"')]: '9x30' },
      at: {
        '4m': [],
        '8m': [{ labels, summary: 'The messages of 1 schedules are refused' }],
        '16m': [],
      },
    },
    {
      name: 'paused ones and ended ones',
      series: {
        [failing]: '0x20',
        [of('schedules', ',state="paused"')]: '3x20',
        [of('schedules', ',state="ended"')]: '3x20',
      },
      at: { '10m': [], '19m': [] },
    },
  ],
  MillraceSchedulesLate: [
    {
      name: 'nobody runs them',
      series: { [overdue]: '0 0 0+60x20' },
      at: { '3m': [], '8m': [{ labels, summary: 'A run of a schedule has been due for 6m 0s' }] },
    },
    {
      name: 'a little late now and then',
      series: { [overdue]: '0 2 0 55 0 2 0 55 0 0 2 50' },
      at: { '4m': [], '8m': [], '11m': [] },
    },
  ],
};
