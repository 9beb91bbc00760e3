import { Parked } from '../../engine/parked.ts';
import type { CallGate, GateEnd, GatePass, GateQuestion } from '../../engine/calls/call-gate.ts';
import { openDurationMs } from './circuit.ts';
import { type HealthSignal, healthSignalOf } from '../../engine/providers/health-signal.ts';
import { healthIntervalMs, type ModelHealth } from './model-health.ts';
import type { WatchedModel } from './watched-model.ts';

/*
 * Lets requests through while the circuit of their model is closed, probes while it is half open, nothing while it is
 * open. What is refused comes back when the circuit is half open, and the more is waiting the longer it is spread over,
 * so that a model that has just recovered is not overrun. A probe that fails is the circuit's trial, not its message's:
 * the message waits like the others.
 */

/** The returns of refused messages are this far apart on average, as long as that is not too long in all. */
const spacingMs = 20;
const minSpreadMs = 500;

export interface CircuitGateOptions {
  readonly health: ModelHealth;
  /** From 0 up to 1. */
  readonly random: () => number;
}

export class CircuitGate implements CallGate {
  readonly #health: ModelHealth;
  readonly #random: () => number;

  constructor({ health, random }: CircuitGateOptions) {
    this.#health = health;
    this.#random = random;
  }

  async enter({ provider, model }: GateQuestion): Promise<GatePass | undefined> {
    const watched = this.#health.watch(provider, model);
    if (watched === undefined) return undefined;
    if (watched.circuit.state === 'closed') return this.#counted(watched);
    if (watched.circuit.state === 'half_open' && (await this.#takeProbe(watched)))
      return this.#probe(watched);
    throw this.#refusal(watched);
  }

  #counted(watched: WatchedModel): GatePass {
    return {
      end: (end) => {
        const sign = signOfEnd(end);
        if (sign !== 'none') this.#health.count(watched, countOf(sign));
      },
    };
  }

  async #takeProbe(watched: WatchedModel): Promise<boolean> {
    const { probesOut, probeSuccesses } = watched.circuit;
    const probes = this.#health.options.circuit?.probes ?? 0;
    // Most of those that wait need not ask the ledger: no place is free as far as is known.
    if (probesOut + probeSuccesses + watched.probesAsked >= probes) return false;
    const { openedAt } = watched;
    watched.probesAsked += 1;
    try {
      return await this.#health.change(
        watched,
        { kind: 'probe_wanted' },
        openedAt === undefined ? {} : { openedAt },
      );
    } catch (error) {
      this.#health.noteAway(error);
      return false;
    } finally {
      watched.probesAsked -= 1;
    }
  }

  #probe(watched: WatchedModel): GatePass {
    const { openedAt } = watched;
    return {
      end: (end) => {
        const sign = signOfEnd(end);
        const result = sign === 'none' ? 'nothing' : sign === 'success' ? 'success' : 'failure';
        const condition = openedAt === undefined ? {} : { openedAt };
        this.#health.inBackground(this.#health.change(watched, { kind: 'probe_ended', result }, condition));
      },
      parkedBy: (failure) => {
        const sign = healthSignalOf(failure);
        if (sign === 'none') return undefined;
        if (watched.circuit.state === 'open') return this.#refusal(watched);
        const { circuit } = this.#health.options;
        const nextOpenMs = circuit === undefined ? 0 : openDurationMs(watched.circuit.opens + 1, circuit);
        return this.#parked(watched, nextOpenMs);
      },
    };
  }

  #refusal(watched: WatchedModel): Parked {
    const { options } = this.#health;
    const isOpen = watched.circuit.state === 'open';
    return this.#parked(watched, isOpen ? Math.max(0, watched.openUntilMs - options.clock.monotonicMs()) : 0);
  }

  /** Back when the next look has found the circuit half open, in turn with the others that wait. */
  #parked(watched: WatchedModel, openMs: number): Parked {
    const { provider, model, circuit } = watched;
    watched.refusals += 1;
    const longestMs = this.#health.options.circuit?.openMs ?? 0;
    const spreadMs = Math.max(minSpreadMs, Math.min(watched.refusals * spacingMs, longestMs));
    const delayMs = Math.round(openMs + healthIntervalMs + this.#random() * spreadMs);
    const state = circuit.state === 'open' ? 'open' : 'half open';
    return new Parked(`${provider}/${model}: its circuit is ${state}, it is tried again later.`, {
      reason: 'circuit',
      about: `${provider}/${model}`,
      delayMs,
    });
  }
}

function signOfEnd(end: GateEnd): HealthSignal {
  return end.kind === 'sent' ? healthSignalOf(end.failure) : 'none';
}

function countOf(sign: Exclude<HealthSignal, 'none'>): 'successes' | 'failures' | 'timeouts' {
  switch (sign) {
    case 'success':
      return 'successes';
    case 'failure':
      return 'failures';
    case 'timeout':
      return 'timeouts';
  }
}
