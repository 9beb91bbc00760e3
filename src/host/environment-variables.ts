import type { Fault } from '../kernel/app-error.ts';

/*
 * Variables and keys that look like settings and are none. One of an earlier version is refused: it would be without
 * effect in silence.
 */

export type Environment = Readonly<Record<string, string | undefined>>;

/** How names of settings changed. A new name counts only where a setting has it. */
const renamedVariables: readonly (readonly [old: RegExp, now: string])[] = [
  [/^MILLRACE_BREAKER(?=_|$)/, 'MILLRACE_CIRCUIT'],
  [/_PAUSE_MS$/, '_INTERVAL_MS'],
];
const renamedKeys: readonly (readonly [old: RegExp, now: string])[] = [
  [/^models\.(?:breaker|circuit)(?=\.|$)/, 'limits.circuit'],
  [/^models\.limits(?=\.|$)/, 'limits.models'],
  [/^models\.retryBudget(?=\.|$)/, 'limits.retryBudget'],
  [/^models\.breaker(?=\.|$)/, 'models.circuit'],
  [/(?<=^|\.)pauseMs$/, 'intervalMs'],
];

/** A fault for each variable that has another name now, or had a meaning for an earlier version. */
export function retiredVariables(environment: Environment, known: ReadonlySet<string>): Fault[] {
  return strangers(environment, known).flatMap((field) => {
    const successor = successorOf(field, renamedVariables, (name) => known.has(name));
    return successor === undefined ? [] : [{ field, problem: `is called ${successor} now` }];
  });
}

/** Variables of this product that no setting has. What Kubernetes sets for a service of this name is not among them. */
export function unknownVariables(environment: Environment, known: ReadonlySet<string>): readonly string[] {
  return strangers(environment, known).filter((name) => !isOfService(name, environment[name] ?? ''));
}

/** The new name of a key that a file of an earlier version has; undefined when there is none. */
export function successorOfKey(key: string, paths: readonly string[]): string | undefined {
  const exists = (name: string): boolean =>
    paths.some((path) => path === name || path.startsWith(`${name}.`));
  return successorOf(key, renamedKeys, exists);
}

function successorOf(
  name: string,
  renamed: typeof renamedKeys,
  exists: (name: string) => boolean,
): string | undefined {
  return renamed
    .filter(([old]) => old.test(name))
    .map(([old, now]) => name.replace(old, now))
    .find((now) => exists(now));
}

function strangers(environment: Environment, known: ReadonlySet<string>): readonly string[] {
  return Object.keys(environment)
    .filter((name) => name.startsWith('MILLRACE_') && !known.has(name) && (environment[name] ?? '') !== '')
    .toSorted();
}

function isOfService(name: string, value: string): boolean {
  return (
    /_SERVICE_(?:HOST|PORT(?:_\w+)?)$|_PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?$/.test(name) ||
    (name.endsWith('_PORT') && /^(?:tcp|udp|sctp):\/\//.test(value))
  );
}
