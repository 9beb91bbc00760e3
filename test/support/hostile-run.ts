/** How large a run against the hostile provider is, and which one. */
export interface HostileRun {
  /** How many calls it makes at least. */
  readonly fewestCalls: number;
  readonly seed: number;
  /** Where the process's programs are found. */
  readonly path: string;
  /** Where it keeps compiled code, if tests keep it. */
  readonly compileCache: string | undefined;
}

/** The run that HOSTILE_CALLS and HOSTILE_SEED ask for. */
export function hostileRun(): HostileRun {
  return {
    fewestCalls: Number(process.env['HOSTILE_CALLS'] ?? 200),
    seed: Number(process.env['HOSTILE_SEED'] ?? 20261129),
    path: process.env['PATH'] ?? '',
    compileCache: process.env['NODE_COMPILE_CACHE'],
  };
}
