import { z } from 'zod';
import type { StatusPart, UnnotedWait, WaitExplanation } from '../status-part.ts';
import { type ModelCooldown, readModelCooldowns } from './model-cooldowns.ts';
import { type ModelAttempts, readModelAttempts } from './model-attempts.ts';
import { circuitsText } from './circuits-text.ts';
import { ModelHealthStore, type TroubledModel } from './model-health-store.ts';

/** What the status has of models. */
export interface TroubledModels {
  /** Models whose circuit is not closed. */
  readonly circuits: readonly TroubledModel[];
}

const circuitSchema = z.object({
  provider: z.string(),
  model: z.string(),
  state: z.enum(['closed', 'open', 'half_open']),
  opens: z.int(),
  reason: z.string(),
  changedAt: z.iso.datetime(),
  remainingMs: z.number(),
});

/** The same as the API answers it. */
export interface TroubledModelsDocument {
  readonly circuits: readonly z.output<typeof circuitSchema>[];
}

/** Circuits that are not closed, and explanations of waits for models. */
export const limitStatus: StatusPart<TroubledModels, TroubledModelsDocument> = {
  schema: { circuits: z.array(circuitSchema) },
  read: async ({ database, clock }) => {
    const [circuits, cooldowns, attempts] = await Promise.all([
      new ModelHealthStore(database).troubled(),
      readModelCooldowns(database),
      readModelAttempts(database),
    ]);
    const now = clock.now();
    return {
      members: { circuits },
      document: {
        circuits: circuits.map((circuit) => ({ ...circuit, changedAt: circuit.changedAt.toISOString() })),
      },
      lines: circuits.length === 0 ? [] : [circuitsText(circuits)],
      explain: ({ reason, about = '' }) => {
        const isIt = (one: { readonly provider: string; readonly model: string }): boolean =>
          nameOf(one) === about;
        switch (reason) {
          case 'circuit':
            return ofCircuit(about, circuits.find(isIt), now);
          case 'rate_limit':
            return ofLimit(about, cooldowns.find(isIt));
          case 'retry_budget':
            return ofRetries(about, attempts.find(isIt));
          default:
            return undefined;
        }
      },
      unnoted: [
        ...circuits.map((circuit) => unnoted('circuit', circuit, ofCircuit(nameOf(circuit), circuit, now))),
        ...cooldowns.map((cooldown) => unnoted('rate_limit', cooldown, ofLimit(nameOf(cooldown), cooldown))),
      ],
    };
  },
};

function ofCircuit(model: string, circuit: TroubledModel | undefined, now: Date): WaitExplanation {
  const change =
    'The provider answering again: probes close the circuit by themselves. A fallback takes over where one is configured.';
  if (circuit === undefined) return { why: `The circuit of ${model} was open; it is closed.`, change };
  return {
    ...(circuit.state === 'open' ? { until: new Date(now.getTime() + circuit.remainingMs) } : {}),
    since: circuit.changedAt,
    why: `The circuit of ${model} is ${circuit.state === 'open' ? 'open' : 'half open'}: ${circuit.reason}`,
    change,
  };
}

function ofLimit(model: string, cooldown: ModelCooldown | undefined): WaitExplanation {
  if (cooldown !== undefined) {
    return {
      until: cooldown.until,
      why: `The provider of ${model} asked for a cool-down, and calls to it wait.`,
      change: 'Time; or what the provider counts against: its quota, its limits.',
    };
  }
  return {
    why: `${model} is at its limit of requests or tokens a minute.`,
    change: `Time; or a higher limit, if the provider grants it: millrace limits set ${model} --help`,
  };
}

/** The budget is what puts them off, and failing calls are why there are retries at all. */
function ofRetries(model: string, attempts: ModelAttempts | undefined): WaitExplanation {
  const before = `Retries of calls to ${model} had used up their share of its calls when these were tried last.`;
  const change =
    'The provider answering again: the failures of the last hour, above, say what it answers; docs/runbooks/provider.md#retries. They are tried again by themselves.';
  if (attempts === undefined) {
    return { why: `${before} There were no attempts in the last minute: the next try is permitted.`, change };
  }
  const { firsts, retries, failures, timeouts } = attempts;
  return {
    why: `${before} In the last minute: ${firsts} first attempts, ${retries} retries, ${failures} failures, ${timeouts} time-outs.`,
    change,
  };
}

function unnoted(
  reason: string,
  model: { readonly provider: string; readonly model: string },
  explanation: WaitExplanation,
): UnnotedWait {
  return { reason, name: nameOf(model), messages: 0, stages: [], explanation };
}

function nameOf({ provider, model }: { readonly provider: string; readonly model: string }): string {
  return `${provider}/${model}`;
}
