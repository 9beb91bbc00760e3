import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { z } from 'zod';
import { AppError } from '../../kernel/app-error.ts';
import { type Clock, within } from '../../kernel/clock.ts';
import { type Usd, usd } from '../../kernel/money.ts';
import { packageRoot } from '../../kernel/package-root.ts';
import type { FaultRuleInput } from '../../simulator/simulator-config.ts';
import { isProcessAlive } from './is-process-alive.ts';

/*
 * The simulator in a process of its own, with its own bill, as a provider is: what it billed stands whatever becomes
 * of the process that asked. It ends when the pipe to its standard input closes, so it never outlives the demo, and
 * stands in a process group of its own, so that a Ctrl-C for the demo does not break off what is being answered.
 */

export interface SimulatorChildOptions {
  /** Where its bill and its configuration lie. */
  readonly directory: string;
  readonly seed: number;
  readonly rules: readonly FaultRuleInput[];
  readonly clock: Clock;
}

export interface SimulatorChild {
  /** "http://127.0.0.1:…" */
  readonly url: string;
  /** Aborts, with the reason, when it ends before it is stopped. */
  readonly failed: AbortSignal;
  billedUsd(): Promise<Usd>;
  /** Resolves when it is gone. */
  stop(): Promise<void>;
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

const startTimeoutMs = 15_000;
const billTimeoutMs = 30_000;
const stopTimeoutMs = 5000;
const keptErrorCharacters = 4000;

const readySchema = z.object({ url: z.url(), pid: z.int() });
const billSchema = z.object({ totalUsd: z.string() });

/** The faults of `--faults`: what a provider does on a bad day. */
export const badDay: readonly FaultRuleInput[] = [
  { fault: 'rate_limit', probability: 0.05, retryAfterMs: 500 },
  { fault: 'server_error', probability: 0.03 },
  { fault: 'cut_stream', probability: 0.01 },
  { fault: 'missing_usage', probability: 0.01 },
];

/** Starts it and waits until it answers. Throws MILLRACE_SIMULATOR_FAILED. */
export async function startSimulatorChild(options: SimulatorChildOptions): Promise<SimulatorChild> {
  const { directory, seed, rules, clock } = options;
  mkdirSync(directory, { recursive: true });
  const pidFile = join(directory, 'pid');
  await predecessorGone(pidFile, clock);
  const config = join(directory, 'config.json');
  writeFileSync(config, `${JSON.stringify({ seed, rules, dataDirectory: directory }, undefined, 2)}\n`);
  const program = join(packageRoot(), 'dist', 'src', 'simulator', 'simulator-process.js');
  const child = spawn(process.execPath, [program, '--config', config, '--exit-with-parent'], {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  const errors = keepErrors(child);
  const ended = once(child, 'exit');
  const failed = new AbortController();
  let isStopping = false;
  void ended.then(([code, signal]) => {
    if (!isStopping) failed.abort(simulatorFailed(`it ended with ${String(code ?? signal)}`, errors()));
  });
  // What is written to a process that has ended fails; its exit says that it has ended.
  child.stdin.on('error', () => undefined);
  const { url, pid } = await firstLine(child, errors, clock);
  writeFileSync(pidFile, String(pid));
  return {
    url,
    failed: failed.signal,
    async billedUsd() {
      const read = async (): Promise<unknown> => (await fetch(`${url}/_simulator/bill`)).json();
      const late = (): Error => simulatorFailed(`no bill within ${billTimeoutMs} ms`, errors());
      return usd(billSchema.parse(await within(clock, billTimeoutMs, read(), late)).totalUsd);
    },
    async stop() {
      isStopping = true;
      child.stdin.end();
      const timer = clock.startTimer(stopTimeoutMs, () => child.kill('SIGKILL'));
      await ended;
      timer.close();
    },
  };
}

async function firstLine(
  child: Child,
  errors: () => string,
  clock: Clock,
): Promise<z.output<typeof readySchema>> {
  const lines = createInterface({ input: child.stdout });
  const timer = clock.startTimer(startTimeoutMs, () => child.kill('SIGKILL'));
  try {
    for await (const line of lines) return readySchema.parse(JSON.parse(line));
  } finally {
    timer.close();
    child.stdout.resume();
  }
  throw simulatorFailed('it did not start', errors());
}

/** Two processes must not write one bill: the one of a run that was killed may still be about to end. */
async function predecessorGone(pidFile: string, clock: Clock): Promise<void> {
  if (!existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, 'utf8'));
  const untilMs = clock.monotonicMs() + stopTimeoutMs;
  const isGone = (): boolean => !(pid > 0) || !isProcessAlive(pid);
  // Past the time it is another process that has got the same id.
  while (!isGone() && clock.monotonicMs() < untilMs) await clock.sleep(20);
}

/** The last of what it says about its troubles. */
function keepErrors(child: Child): () => string {
  let kept = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    kept = `${kept}${text}`.slice(-keptErrorCharacters);
  });
  return () => kept.trim();
}

function simulatorFailed(what: string, said: string): AppError {
  return new AppError('MILLRACE_SIMULATOR_FAILED', `The simulated provider failed: ${what}. ${said}`.trim());
}
