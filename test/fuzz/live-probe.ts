import { setTimeout as pause } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';

/* Asks /health/live without pause, in a thread of its own whose loop nothing else keeps busy, and tells how long it took. */

const { url } = workerData as { readonly url: string };
let hasEnded = false;
parentPort?.on('message', () => (hasEnded = true));
const durations: number[] = [];
while (!hasEnded) {
  const began = performance.now();
  await (await fetch(`${url}/health/live`)).arrayBuffer();
  durations.push(performance.now() - began);
  await pause(10);
}
parentPort?.postMessage(durations);
