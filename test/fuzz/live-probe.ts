import { setTimeout as pause } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';

/* Asks /health/live without pause, in a thread of its own whose loop nothing else keeps busy, and tells how long it took. */

const { url } = workerData as { readonly url: string };
const ending = new AbortController();
parentPort?.on('message', () => ending.abort());
const durations: number[] = [];
while (!ending.signal.aborted) {
  const began = performance.now();
  await (await fetch(`${url}/health/live`)).arrayBuffer();
  durations.push(performance.now() - began);
  await pause(10);
}
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port has no origin
parentPort?.postMessage(durations);
