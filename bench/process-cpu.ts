import { readdirSync, readFileSync } from 'node:fs';

/** Milliseconds of a clock tick, as Linux counts them for programs. */
const msPerTick = 10;

/**
 * Processor time in milliseconds that a process and its children have used so far, read from /proc: it says nearly the
 * same however busy the machine is.
 */
export function processCpuMs(pid: number): number {
  let ticks = 0;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = statOf(name);
    if (stat !== undefined && (Number(name) === pid || stat.parent === pid)) ticks += stat.ticks;
  }
  return ticks * msPerTick;
}

function statOf(pid: string): { readonly parent: number; readonly ticks: number } | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    // It ended between the listing and the reading.
    return undefined;
  }
  // After the program's name: state, parent, …; the eleventh and twelfth are user and system time.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
}
