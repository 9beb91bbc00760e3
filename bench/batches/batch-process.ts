/*
 * A process of the bench of batches: it makes a batch's way, or the bare loop's, step by step as the bench orders, and tells what its
 * memory is like. It ends with the bench.
 */
import { readProcessMemory, readReachableBytes } from '../soak/process-memory.ts';
import { bareLoop } from './bare-loop.ts';
import { MillraceBatches } from './millrace-batch.ts';
import {
  type BatchBenchOptions,
  type Order,
  type Reply,
  type Step,
  steps,
  type Taken,
  type Work,
} from './orders.ts';

const readEveryMs = 250;

let options: BatchBenchOptions | undefined;
let millrace: MillraceBatches | undefined;
let watching: NodeJS.Timeout | undefined;

function send(reply: Reply): void {
  process.send?.(reply);
}

/** Tells every period, until the process closes. */
function watchMemory(everySeconds: number): void {
  const startedMs = performance.now();
  let rssMost = 0;
  let periods = 0;
  watching = setInterval(() => {
    rssMost = Math.max(rssMost, readProcessMemory().rss);
    const seconds = (performance.now() - startedMs) / 1000;
    if (seconds < (periods + 1) * everySeconds) return;
    periods = Math.floor(seconds / everySeconds);
    tellMemory(seconds, rssMost);
    rssMost = 0;
  }, readEveryMs);
}

function tellMemory(atSeconds: number, rssMost: number): void {
  const ended = millrace?.ended ?? 0;
  send({ kind: 'memory', period: { atSeconds, rssMost, reachable: readReachableBytes(), ended } });
}

async function make(step: Step, work: Work): Promise<void> {
  if (options === undefined) throw new Error('Nothing is open');
  if (millrace !== undefined) await millrace.step(step, work);
  else if (step === 'run') await bareLoop(options, work);
}

async function measured(step: Step, work: Work): Promise<Taken> {
  const [startedMs, before] = [performance.now(), process.cpuUsage()];
  await make(step, work);
  const { user, system } = process.cpuUsage(before);
  return { wallMs: performance.now() - startedMs, cpuMs: (user + system) / 1000 };
}

async function carryOut(order: Order): Promise<unknown> {
  switch (order.kind) {
    case 'open':
      options = order.options;
      if (options.kind === 'millrace') millrace = await MillraceBatches.open(options);
      return null;
    case 'warm_up':
      for (const step of steps) await make(step, order.work);
      return null;
    case 'step':
      if (watching === undefined && options !== undefined) watchMemory(options.memoryEverySeconds);
      return await measured(order.step, order.work);
    case 'close':
      clearInterval(watching);
      await millrace?.close();
      return null;
  }
}

process.on('message', (order: Order) => {
  carryOut(order).then(
    (value) => send({ kind: 'done', value }),
    (error: unknown) => {
      const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
      send({ kind: 'failed', message: `${String(error)}${cause}` });
    },
  );
});
// The bench is gone: nothing is left to work for.
process.on('disconnect', () => process.exit());
