import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { readWholeNumber } from '../kernel/written-number.ts';
import { parseSimulatorConfig, type SimulatorConfig } from './simulator-config.ts';
import { startSimulator } from './simulator.ts';

/*
 * The simulator as a process of its own, so that it outlives a Millrace process that is killed:
 *   node src/simulator/simulator-process.ts [--port 0] [--seed 7] [--data DIR] [--config FILE.json] [--exit-with-parent]
 * The file holds the whole configuration as JSON; what is given as an argument wins. When it is ready it prints one
 * line of JSON, {"url":…,"port":…,"pid":…}, on standard output. SIGTERM and SIGINT end it; with --exit-with-parent so
 * does the end of its standard input, a pipe that closes when the parent is gone, however it went.
 */

const configFileSchema = z.record(z.string(), z.unknown());

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    seed: { type: 'string' },
    data: { type: 'string' },
    config: { type: 'string' },
    'exit-with-parent': { type: 'boolean', default: false },
  },
});

async function configured(): Promise<SimulatorConfig> {
  const file =
    values.config === undefined
      ? {}
      : configFileSchema.parse(JSON.parse(await readFile(values.config, 'utf8')));
  return parseSimulatorConfig({
    ...file,
    ...(values.port !== undefined && { port: readWholeNumber(values.port) }),
    ...(values.seed !== undefined && { seed: readWholeNumber(values.seed) }),
    ...(values.data !== undefined && { dataDirectory: values.data }),
  });
}

const simulator = await startSimulator(await configured());
process.stdout.write(`${JSON.stringify({ url: simulator.url, port: simulator.port, pid: process.pid })}\n`);

/** A second signal finds no handler and ends the process at once. */
function stop(): void {
  process.off('SIGTERM', stop).off('SIGINT', stop);
  // An open standard input would keep the process alive.
  process.stdin.off('close', stop).destroy();
  void simulator.close();
}
process.on('SIGTERM', stop).on('SIGINT', stop);
if (values['exit-with-parent']) process.stdin.once('close', stop).resume();
