import type { Command } from 'commander';
import { invalidRequest, parseRequest } from '../../http/request-faults.ts';
import { formatUsd } from '../../kernel/money.ts';
import type { TailEvent } from './message-tail.ts';
import { listMessagesSchema } from './message-requests.ts';
import { type Bind, type CommandContext, exitCodes, print, tell } from '../../terminal/command-context.ts';
import { given, type MessageFilterOptions, messageFilterOf, withMessageFilters } from './message-options.ts';
import type { MessageSettings } from './command-messages.ts';
import { withMessages } from './messages-command.ts';
import { hasReader } from '../../terminal/output-streams.ts';
import { watchShutdownSignals } from '../../terminal/shutdown-signals.ts';

interface TailOptions extends MessageFilterOptions {
  readonly seconds?: string;
  readonly events?: string;
}

const pauseMs = 500;
const kinds = ['written', 'failure', 'call', 'ended'] as const;

/** `millrace tail`: what happens, as it happens. */
export function addTailCommand(program: Command, context: CommandContext<MessageSettings>, bind: Bind): void {
  withMessageFilters(program.command('tail'))
    .description('follow what happens: messages written, failures, calls with cost, ends')
    .option('--events <kinds>', `only of these kinds, by commas: ${kinds.join(', ')}`)
    .option('--seconds <n>', 'stop after so long; until it is interrupted without it')
    .action(bind((options: TailOptions) => tail(context, options)));
}

async function tail(context: CommandContext<MessageSettings>, options: TailOptions): Promise<number> {
  const { filter } = parseRequest(listMessagesSchema, given(messageFilterOf(options)));
  const wanted = kindsOf(options.events);
  const endMs = context.clock.monotonicMs() + secondsOf(options.seconds) * 1000;
  const stop = watchShutdownSignals(() => undefined);
  try {
    await withMessages(context, options, false, async ({ tail: follower }) => {
      for (let isFirst = true; ; isFirst = false) {
        const { events, missed } = await follower.look(filter, {});
        if (isFirst) tell(context, 'Following what happens from now on; an interrupt ends it.');
        for (const event of events) {
          if (wanted.has(event.kind))
            print(context, options.json === true ? JSON.stringify(documentOf(event)) : textOf(event));
        }
        if (missed > 0)
          tell(context, `${missed} messages are not followed: too many are open. Narrow the filter.`);
        const isWanted = !stop.signal.aborted && hasReader(context.stdout);
        if (!isWanted || context.clock.monotonicMs() >= endMs) return;
        await context.clock.sleep(pauseMs, stop.signal).catch(() => undefined);
      }
    });
  } finally {
    stop.release();
  }
  return exitCodes.ok;
}

function kindsOf(text: string | undefined): ReadonlySet<string> {
  const asked = text?.split(',').map((kind) => kind.trim()) ?? [...kinds];
  const known: ReadonlySet<string> = new Set(kinds);
  if (asked.every((kind) => known.has(kind))) return new Set(asked);
  throw invalidRequest([{ field: 'events', problem: `is any of ${kinds.join(', ')}, separated by commas` }]);
}

function secondsOf(text: string | undefined): number {
  if (text === undefined) return Number.POSITIVE_INFINITY;
  if (/^\d{1,7}$/.test(text)) return Number(text);
  throw invalidRequest([{ field: 'seconds', problem: 'is a whole number of seconds' }]);
}

function documentOf(event: TailEvent): Readonly<Record<string, unknown>> {
  const cost =
    event.kind === 'call' && event.costUsd !== undefined ? { costUsd: formatUsd(event.costUsd) } : {};
  return { ...event, at: event.at.toISOString(), ...cost };
}

function textOf(event: TailEvent): string {
  const { at, id, stage, team, customer } = event;
  const where = stage === '' ? '(output)' : stage;
  return `${at.toISOString()}  ${whatOf(event)}  ${where}  ${team}/${customer}  ${id}`;
}

function whatOf(event: TailEvent): string {
  switch (event.kind) {
    case 'written':
      return event.isEmitted ? 'emitted' : `admitted ${event.eventId}`;
    case 'failure':
      return `failed ${event.code}${event.retryable ? ', again' : ''}`;
    case 'call': {
      const cost = event.costUsd === undefined ? 'cost unknown' : `${formatUsd(event.costUsd)} USD`;
      return `call ${event.model} ${event.outcome ?? event.state}, ${event.durationMs ?? '?'} ms, ${cost}`;
    }
    case 'ended':
      return event.errorCode === undefined ? event.state : `${event.state} ${event.errorCode}`;
  }
}
