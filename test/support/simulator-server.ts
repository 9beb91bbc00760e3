import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { BatchRuleInput } from '../../src/simulator/batches/batch-config.ts';
import type { BillEntry } from '../../src/simulator/bill.ts';
import type { BillForm } from '../../src/simulator/provider-bills.ts';
import type { FaultRuleInput, SimulatorConfigInput } from '../../src/simulator/simulator-config.ts';
import type { SimulatorStats } from '../../src/simulator/simulator-stats.ts';

/** The simulated provider in a process of its own, which ends with this one. */
export class SimulatorServer {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#child = child;
  }

  /** `directory` takes its configuration. */
  static async start(directory: string, config: SimulatorConfigInput): Promise<SimulatorServer> {
    const file = join(directory, 'simulator.json');
    writeFileSync(file, JSON.stringify(config));
    const program = join(import.meta.dirname, '../../src/simulator/simulator-process.ts');
    const child = spawn(process.execPath, [program, '--config', file, '--exit-with-parent'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const [line] = (await Promise.race([
      once(createInterface({ input: child.stdout }), 'line'),
      once(child, 'exit').then(([code]) => {
        throw new Error(`The simulator did not start: exit code ${String(code)}`);
      }),
    ])) as [string];
    return new SimulatorServer((JSON.parse(line) as { url: string }).url, child);
  }

  async readBill(): Promise<readonly BillEntry[]> {
    const response = await fetch(`${this.url}/_simulator/bill?entries=1`);
    return ((await response.json()) as { entries: BillEntry[] }).entries;
  }

  /** The bill as a provider exports it. */
  async exportBill(form: BillForm): Promise<string> {
    const response = await fetch(`${this.url}/_simulator/bill/${form}`);
    if (!response.ok) throw new Error(`The simulator does not export ${form}: ${response.status}`);
    return await response.text();
  }

  /** From now on every request is answered well. */
  async heal(): Promise<void> {
    await this.follow([]);
  }

  /** From now on these rules hold, and no others. */
  async follow(rules: readonly FaultRuleInput[]): Promise<void> {
    const response = await fetch(`${this.url}/_simulator/rules`, {
      method: 'PUT',
      body: JSON.stringify(rules),
    });
    if (!response.ok) throw new Error(`The simulator did not take the rules: ${response.status}`);
  }

  /** From now on these rules hold for batches, and no others. */
  async followBatches(rules: readonly BatchRuleInput[]): Promise<void> {
    const response = await fetch(`${this.url}/_simulator/batch-rules`, {
      method: 'PUT',
      body: JSON.stringify(rules),
    });
    if (!response.ok) throw new Error(`The simulator did not take the rules: ${response.status}`);
  }

  async readStats(): Promise<SimulatorStats> {
    const response = await fetch(`${this.url}/_simulator/stats`);
    return (await response.json()) as SimulatorStats;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    // It lives as long as this pipe.
    this.#child.stdin?.end();
    await ended;
  }
}
