import { roundedUsd, renderTable, formatCount } from '../../terminal/text-table.ts';
import { usd } from '../../kernel/money.ts';
import type { ScheduleDetail, ScheduleDocument, ScheduleList } from './schedule-documents.ts';

/* Schedules for the terminal. */

export function scheduleListText({ schedules, next }: ScheduleList): string {
  const more = next === undefined ? [] : ['', `There are more: --after ${next}`];
  if (schedules.length === 0) return ['There are no schedules.', ...more].join('\n');
  const columns = ['name', 'team', 'state', 'when', 'sends', 'next', 'id'].map((title) => ({ title }));
  const rows = schedules.map((schedule) => [
    schedule.name,
    schedule.team,
    schedule.state,
    whenText(schedule),
    schedule.message.type,
    schedule.nextAt ?? '',
    schedule.id,
  ]);
  return [renderTable(columns, rows), ...more].join('\n');
}

/** Everything about one schedule. */
export function scheduleText(schedule: ScheduleDetail): string {
  const { message, failure, nextTimes, runs, pausedAt, pausedBy } = schedule;
  const { team, customer, feature } = message.origin;
  const facts = [
    ['schedule', `${schedule.name} (${schedule.id})`],
    ['state', schedule.state],
    ['paused', pausedAt === undefined ? '' : `since ${pausedAt} by ${pausedBy ?? ''}`],
    ['when', whenText(schedule)],
    ['within', [schedule.startAt ?? '', schedule.endAt ?? ''].filter((text) => text !== '').join(' to ')],
    ['rules', `missed: ${schedule.missed}, overlap: ${schedule.overlap}`],
    ['sends', `${message.type} version ${message.schemaVersion}`],
    ['origin', `team ${team}, customer ${customer}, feature ${feature}`],
    ['by', `${schedule.actor}, ${schedule.source}, changed ${schedule.changedAt}`],
    ['failing', failure === undefined ? '' : `since ${failure.since}: ${failure.code}: ${failure.detail}`],
  ].filter(([, value]) => value !== '');
  return [
    ...facts.map(([name = '', value = '']) => `${name.padEnd(11)}${value}`),
    ...(nextTimes.length === 0 ? [] : ['', 'Next times', ...nextTimes]),
    ...(runs.length === 0 ? [] : ['', 'Last runs', runsText(runs)]),
  ].join('\n');
}

function runsText(runs: ScheduleDetail['runs']): string {
  const columns = [
    ...['at', 'kind', 'state', 'outcome', 'message'].map((title) => ({ title })),
    ...['calls', 'USD'].map((title) => ({ title, align: 'right' }) as const),
  ];
  const rows = runs.map((run) => [
    run.at,
    run.kind,
    run.times === 1
      ? run.state
      : `${run.state}, ${run.isAtLeast ? 'at least ' : ''}${formatCount(run.times)} times`,
    run.errorCode ?? run.outcome ?? '',
    run.messageIds.join(' '),
    formatCount(run.calls),
    run.unknownCalls === 0 ? roundedUsd(usd(run.costUsd)) : `${roundedUsd(usd(run.costUsd))} + unknown`,
  ]);
  return renderTable(columns, rows);
}

function whenText({ cron, every, timeZone }: ScheduleDocument): string {
  return cron === undefined ? `every ${every ?? ''}` : `${cron} ${timeZone}`;
}
