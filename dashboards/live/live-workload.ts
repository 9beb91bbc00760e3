import { admitDocuments } from '../../examples/documents/admit-documents.ts';
import { findPackageTexts, type FoundDocument } from '../../examples/documents/find-documents.ts';
import type { Millrace } from '../../src/host/millrace.ts';
import { packageRoot } from '../../src/kernel/package-root.ts';
import type { FaultRuleInput } from '../../src/simulator/simulator-config.ts';
import type { Simulator } from '../../src/simulator/simulator.ts';
import { originOfTicket, TicketReceived } from './ticket.stage.ts';

/*
 * What happens in a live run, by shares of its time: documents in waves, the last of which is at its height in the end,
 * tickets at an even pace, a provider that limits requests, another that is overloaded, operators who pause, replay and
 * discard. It goes by the clock and not by turns, so that a slow machine does less instead of taking longer.
 */

export interface LiveWorkload {
  readonly millrace: Millrace;
  readonly simulator: Simulator;
  readonly seconds: number;
  readonly say: (line: string) => void;
}

const turnMs = 500;
const longestTurnSeconds = 1;
const documentsPerSecond = 4;
const ticketsPerSecond = 2;
const waves = 2.5;
const admissionConcurrency = 8;
const refusedWord = 'xyzzy';
// Too large for the ledger, so that it goes through the payload store.
const largeAttachment = 'page '.repeat(60_000);

/** The faults of every day. */
export const usualFaults: FaultRuleInput[] = [
  { fault: 'content_policy', match: { contains: refusedWord } },
  { fault: 'context_too_long', match: { contains: 'Apache License' }, probability: 0.3, times: 6 },
  { fault: 'rate_limit', probability: 0.02, retryAfterMs: 500 },
  { fault: 'server_error', probability: 0.01 },
  { fault: 'cut_stream', probability: 0.02 },
  { fault: 'missing_usage', probability: 0.01 },
];

type Decision = 'replay' | 'discard' | 'pause' | 'resume' | 'pause a team';

/** A spell in which one provider answers half of its requests late or not at all. */
const overload: FaultRuleInput[] = [
  { fault: 'overloaded', match: { provider: 'anthropic' }, probability: 0.5 },
  { fault: 'slow', match: { provider: 'anthropic' }, probability: 0.3, delayMs: 1500 },
  ...usualFaults,
];

interface LiveEvent {
  /** Share of the time that has passed. */
  readonly at: number;
  readonly what: string;
  readonly rules?: FaultRuleInput[];
  readonly act?: Decision;
}

const events: readonly LiveEvent[] = [
  {
    at: 0.14,
    what: 'one provider limits requests',
    rules: [
      { fault: 'rate_limit', match: { provider: 'openai' }, probability: 0.35, retryAfterMs: 800 },
      ...usualFaults,
    ],
  },
  { at: 0.26, what: 'it recovers', rules: usualFaults },
  { at: 0.36, what: 'a stage is paused', act: 'pause' },
  { at: 0.48, what: 'it goes on', act: 'resume' },
  {
    at: 0.54,
    what: 'the other is overloaded and slow',
    rules: overload,
  },
  { at: 0.68, what: 'it recovers', rules: usualFaults },
  { at: 0.74, what: 'dead letters are replayed', act: 'replay' },
  { at: 0.82, what: 'dead letters are discarded', act: 'discard' },
  { at: 0.9, what: 'a team is paused, and stays so', act: 'pause a team' },
];

/** Lets more work come in for so many seconds, under an overload. */
type MoreWork = (seconds: number) => Promise<void>;

/** Lets it all happen; resolves when the time is over, in the midst of work, with what lets more of it come. */
export async function workThrough({ millrace, simulator, seconds, say }: LiveWorkload): Promise<MoreWork> {
  const found = await findPackageTexts(packageRoot());
  if (found.kind !== 'found') throw new Error(`There are no documents in ${found.folder}.`);
  const arrivals = new Arrivals(millrace, found.documents);
  const upcoming = [...events];
  await inTurns(seconds, async (elapsedSeconds, turnSeconds) => {
    const share = elapsedSeconds / seconds;
    const [event] = upcoming;
    if (event !== undefined && event.at <= share) {
      upcoming.shift();
      say(`${Math.round(share * 100)} %: ${event.what}`);
      if (event.rules !== undefined) simulator.setRules(event.rules);
      if (event.act !== undefined) await decide(millrace, event.act);
    }
    await arrivals.arrive(share, turnSeconds);
  });
  return async (moreSeconds) => {
    simulator.setRules(overload);
    await inTurns(moreSeconds, (_, turnSeconds) => arrivals.arrive(1, turnSeconds));
  };
}

/** Turn by turn until the time is over: `act` is told how much of it has passed, and since the last turn. */
async function inTurns(
  seconds: number,
  act: (elapsedSeconds: number, turnSeconds: number) => Promise<void>,
): Promise<void> {
  const startedMs = performance.now();
  let lastSeconds = 0;
  for (;;) {
    const elapsedSeconds = (performance.now() - startedMs) / 1000;
    if (elapsedSeconds >= seconds) return;
    await act(elapsedSeconds, Math.min(longestTurnSeconds, elapsedSeconds - lastSeconds));
    lastSeconds = elapsedSeconds;
    await pause(turnMs);
  }
}

/** What comes in. */
class Arrivals {
  readonly #millrace: Millrace;
  readonly #documents: readonly FoundDocument[];
  #admitted = 0;
  #tickets = 0;
  #documentsDue = 0;
  #ticketsDue = 0;

  constructor(millrace: Millrace, documents: readonly FoundDocument[]) {
    this.#millrace = millrace;
    this.#documents = documents;
  }

  /** Admits what has come due in a turn. */
  async arrive(share: number, turnSeconds: number): Promise<void> {
    this.#documentsDue += (1.1 - Math.cos(share * 2 * waves * Math.PI)) * documentsPerSecond * turnSeconds;
    this.#ticketsDue += ticketsPerSecond * turnSeconds;
    const batch = share < 0.45 ? 'nightly-monday' : share < 0.8 ? 'nightly-tuesday' : 'backfill-2025';
    const due = Math.floor(this.#documentsDue);
    const documents = this.#documents.slice(this.#admitted, this.#admitted + due);
    await admitDocuments(this.#millrace, documents, { batch, concurrency: admissionConcurrency });
    this.#admitted += due;
    this.#documentsDue -= due;
    for (; this.#ticketsDue >= 1; this.#ticketsDue -= 1) await this.#admitTicket();
  }

  async #admitTicket(): Promise<void> {
    const number = (this.#tickets += 1);
    const ticket = `ticket-${number}`;
    await this.#millrace.admit(
      TicketReceived.v1,
      {
        ticket,
        // Every thirtieth is refused by the provider, whoever asks how often.
        text: `Ticket ${number}: ${number % 30 === 0 ? refusedWord : 'My order has not arrived.'}`,
        attachment: number % 12 === 0 ? largeAttachment : '',
        isExperiment: number % 10 === 0,
      },
      { origin: originOfTicket(number), source: 'live-run/tickets', id: ticket, item: ticket },
    );
  }
}

/** What an operator decides: about dead letters, and about a stage. */
async function decide(millrace: Millrace, what: Decision): Promise<void> {
  const reason = 'live run';
  const operator = { actor: 'live-run' };
  const pausedStage = { scope: 'stage', value: 'answer' } as const;
  const pausedTeam = { scope: 'team', value: 'security' } as const;
  switch (what) {
    case 'replay':
      await millrace.deadLetters.replay({ filter: {}, max: 3, reason }, operator);
      return;
    case 'discard':
      await millrace.deadLetters.discard({ filter: {}, max: 3, reason }, operator);
      return;
    case 'pause':
      await millrace.pauses.place({ ...pausedStage, aborts: false, reason }, operator);
      return;
    case 'pause a team':
      await millrace.pauses.place({ ...pausedTeam, aborts: false, reason }, operator);
      return;
    case 'resume':
      await millrace.pauses.resume(pausedStage, reason, operator);
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
