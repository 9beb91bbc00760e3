/*
 * A process of a subject: it opens, works and adds as the bench orders, and says how many jobs it has taken up. It ends
 * with the bench.
 */
import { monotonicMs, type Account, type Answers, type Order, type Reply } from './orders.ts';
import { openSubject } from './open-subject.ts';
import type { Subject } from './subject.ts';

const reportEveryMs = 5;
const pauseBetweenMs = 15;

let subject: Subject | undefined;
let beganMs = 0;
let beganCpu = process.cpuUsage();
let wasFed = false;
let lastMs = 0;
let handled = 0;
let reporting: NodeJS.Timeout | undefined;
let onNext: (() => void) | undefined;

function send(reply: Reply): void {
  process.send?.(reply);
}

function begin(): void {
  beganMs = monotonicMs();
  beganCpu = process.cpuUsage();
}

function onHandled(): void {
  if (handled === 0 && !wasFed) begin();
  handled += 1;
  lastMs = monotonicMs();
  onNext?.();
  reporting ??= setTimeout(() => {
    reporting = undefined;
    send({ kind: 'handled', total: handled });
  }, reportEveryMs);
}

function account(): Account {
  const { user, system } = process.cpuUsage(beganCpu);
  return { beganMs, lastMs, handled, cpuMs: (user + system) / 1000 };
}

/** One job at a time, with a pause between, on a system that has nothing else to do. */
async function measureLatency(of: Subject, count: number): Promise<readonly number[]> {
  const measured: number[] = [];
  for (let turn = 0; turn < count; turn += 1) {
    const { promise: begun, resolve } = Promise.withResolvers<number>();
    onNext = () => resolve(performance.now());
    const startedMs = performance.now();
    await of.sendOne();
    measured.push((await begun) - startedMs);
    onNext = undefined;
    await new Promise((next) => setTimeout(next, pauseBetweenMs));
  }
  return measured;
}

async function carryOut(order: Order): Promise<Answers[Order['kind']]> {
  if (order.kind === 'open') {
    subject = await openSubject(order.options);
    clearTimeout(reporting);
    reporting = undefined;
    handled = 0;
    wasFed = false;
    return { settings: subject.settings };
  }
  if (subject === undefined) throw new Error('No subject is open');
  switch (order.kind) {
    case 'start':
      begin();
      await subject.start(onHandled);
      return null;
    case 'feed':
      wasFed = true;
      begin();
      await subject.feed(order.count);
      return null;
    case 'add_backlog':
      await subject.addBacklog(order.count);
      return null;
    case 'until_done':
      return { done: (await subject.untilDone()) ?? null, atMs: monotonicMs() };
    case 'account':
      return account();
    case 'measure_latency':
      return measureLatency(subject, order.count);
    case 'close':
      await subject.stop();
      subject = undefined;
      return null;
  }
}

process.on('message', (order: Order) => {
  carryOut(order).then(
    (value) => send({ kind: 'done', value }),
    (error: unknown) => send({ kind: 'failed', message: String(error) }),
  );
});
// The bench is gone: nothing is left to work for.
process.on('disconnect', () => process.exit());
