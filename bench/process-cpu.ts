import { readdirSync, readFileSync } from 'node:fs';

/** Milliseconds of a clock tick, as Linux counts them for programs. */
const msPerTick = 10;

/**
 * Processor time in milliseconds that a process and its children have used so far, those that have ended included, read
 * from /proc: it says nearly the same however busy the machine is.
 */
export function processCpuMs(pid: number): number {
  let ticks = 0;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = statOf(name);
    if (stat === undefined) continue;
    if (Number(name) === pid) ticks += stat.ticks + stat.ticksOfEnded;
    else if (stat.parent === pid) ticks += stat.ticks;
  }
  return ticks * msPerTick;
}

/** The same of a process and all that descend from it: servers have processes of their own for their clients. */
export function processTreeCpuMs(root: number): number {
  const stats = new Map<number, ProcessStat>();
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? statOf(name) : undefined;
    if (stat !== undefined) stats.set(Number(name), stat);
  }
  let ticks = 0;
  for (const [pid, stat] of stats) if (descends(pid, root, stats)) ticks += stat.ticks + stat.ticksOfEnded;
  return ticks * msPerTick;
}

function descends(pid: number, root: number, stats: ReadonlyMap<number, ProcessStat>): boolean {
  for (let at: number | undefined = pid; at !== undefined; at = stats.get(at)?.parent)
    if (at === root) return true;
  return false;
}

interface ProcessStat {
  readonly parent: number;
  readonly ticks: number;
  /** Of children that have ended. */
  readonly ticksOfEnded: number;
}

function statOf(pid: string): ProcessStat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    // It ended between the listing and the reading.
    return undefined;
  }
  // After the program's name: state, parent, …; from the eleventh on user and system time, and those of ended children.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [user, system, userOfEnded, systemOfEnded] = fields.slice(11, 15).map(Number);
  return {
    parent: Number(fields[1]),
    ticks: (user ?? 0) + (system ?? 0),
    ticksOfEnded: (userOfEnded ?? 0) + (systemOfEnded ?? 0),
  };
}
