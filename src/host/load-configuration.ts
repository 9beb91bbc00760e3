import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { z } from 'zod';
import { AppError, type Fault } from '../kernel/app-error.ts';
import { type Configuration, type ConfigurationInput, configurationSchema } from './configuration.ts';
import {
  type Environment,
  retiredVariables,
  successorOfKey,
  unknownVariables,
} from './environment-variables.ts';
import { keepConfiguredSecrets } from './keep-configured-secrets.ts';
import type { SettingNotes } from '../kernel/setting.ts';

/** One setting, as the documentation shows it. */
export interface SettingEntry extends SettingNotes {
  /** "http.port" */
  readonly path: string;
  readonly defaultText: string;
}

export interface ConfigurationSources {
  readonly environment: Environment;
  /** Path of a JSON file; MILLRACE_CONFIG names one as well. */
  readonly file?: string;
  /** Given in code: overrides all else. */
  readonly options?: ConfigurationInput;
}

/** The configuration from all sources. Throws MILLRACE_CONFIG_INVALID that names every fault at once. */
export function loadConfiguration({ environment, file, options }: ConfigurationSources): Configuration {
  const path = file ?? (environment['MILLRACE_CONFIG'] || undefined);
  const layers = [path === undefined ? {} : readFile(path), fromEnvironment(environment), options ?? {}];
  const merged = layers.reduce<Record<string, unknown>>(
    (below, above) => merge(below, above as Record<string, unknown>),
    {},
  );
  keepConfiguredSecrets(merged, listSettings());
  const parsed = configurationSchema.safeParse(merged);
  const faults = [
    ...(parsed.success ? crossChecks(parsed.data) : parsed.error.issues.flatMap((issue) => faultsOf(issue))),
    ...retiredVariables(environment, knownVariables()),
  ];
  if (!parsed.success || faults.length > 0) {
    throw new AppError(
      'MILLRACE_CONFIG_INVALID',
      `The configuration is not valid:\n${faults.map((fault) => `  ${fault.field}: ${fault.problem}`).join('\n')}`,
      { faults },
    );
  }
  return parsed.data;
}

/** Variables of this product that no setting has. */
export function unknownVariablesOf(environment: Environment): readonly string[] {
  return unknownVariables(environment, knownVariables());
}

function knownVariables(): ReadonlySet<string> {
  return new Set(['MILLRACE_CONFIG', ...listSettings().flatMap(variablesOf)]);
}

/** The variables that set it, the first first. */
function variablesOf({ env, alsoEnv = [] }: SettingNotes): readonly string[] {
  return env === undefined ? [] : [env, ...alsoEnv];
}

/** Every setting with its variable, default and help. */
export function listSettings(): readonly SettingEntry[] {
  return [...walk(configurationSchema, [])].map(({ path, schema, notes }) => {
    const parsed = schema.safeParse(undefined);
    const value: unknown = parsed.success ? parsed.data : undefined;
    return { ...notes, path: path.join('.'), defaultText: value === undefined ? '' : JSON.stringify(value) };
  });
}

function* walk(
  schema: z.ZodType,
  path: readonly string[],
): Generator<{ readonly path: readonly string[]; readonly schema: z.ZodType; readonly notes: SettingNotes }> {
  const notes = schema.meta();
  if (notes !== undefined && typeof notes['help'] === 'string') {
    yield { path, schema, notes: notes as unknown as SettingNotes };
    return;
  }
  const inner = schema instanceof z.ZodPrefault ? (schema.unwrap() as z.ZodType) : schema;
  if (!(inner instanceof z.ZodObject)) return;
  const shape: Record<string, z.ZodType> = inner.shape;
  for (const [key, child] of Object.entries(shape)) yield* walk(child, [...path, key]);
}

function fromEnvironment(environment: Environment): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const { path, notes } of walk(configurationSchema, [])) {
    const value = variablesOf(notes)
      .map((name) => environment[name])
      .find((text) => text !== undefined && text !== '');
    if (value === undefined) continue;
    let target = found;
    for (const key of path.slice(0, -1)) target = (target[key] ??= {}) as Record<string, unknown>;
    target[path.at(-1) ?? ''] = value;
  }
  return found;
}

function readFile(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as unknown;
  } catch (error) {
    // What the parser says quotes the file, in which secrets stand that nobody knows yet.
    const isSyntax = error instanceof SyntaxError;
    const problem = isSyntax ? syntaxProblem(error) : error instanceof Error ? error.message : String(error);
    throw new AppError(
      'MILLRACE_CONFIG_INVALID',
      `The configuration file ${path} cannot be read: ${problem}`,
      {
        ...(isSyntax ? {} : { cause: error }),
        faults: [{ field: path, problem }],
      },
    );
  }
}

function syntaxProblem({ message }: SyntaxError): string {
  const place = /\(line \d+ column \d+\)/.exec(message)?.[0];
  return place === undefined ? 'it is not JSON' : `it is not JSON ${place}`;
}

function merge(below: Record<string, unknown>, above: Record<string, unknown>): Record<string, unknown> {
  const merged = { ...below };
  for (const [key, value] of Object.entries(above)) {
    if (value === undefined) continue;
    const current = merged[key];
    merged[key] = isPlainObject(current) && isPlainObject(value) ? merge(current, value) : value;
  }
  return merged;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function crossChecks({
  http,
  ledger,
  queue,
  columnStore,
  payloads,
  messages,
  roles,
}: Configuration): Fault[] {
  const faults: Fault[] = [];
  const isLoopback = http.host === 'localhost' || (isIP(http.host) !== 0 && /^(127\.|::1$)/.test(http.host));
  if (http.auth === 'none' && !isLoopback) {
    faults.push({
      field: 'http.auth',
      problem: `"none" is allowed on a loopback address only, not on ${http.host}`,
    });
  }
  if ((ledger.url === undefined) !== (queue.url === undefined)) {
    faults.push({
      field: 'queue.url',
      problem: 'ledger.url and queue.url are set both (production) or neither (embedded)',
    });
  }
  if (ledger.url === undefined && roles.length < 3) {
    faults.push({
      field: 'roles',
      problem: 'embedded, one process does everything: name all roles or set ledger.url and queue.url',
    });
  }
  if (ledger.url !== undefined && columnStore.url === undefined && roles.length < 3) {
    faults.push({
      field: 'columnStore.url',
      problem:
        'several processes need a ClickHouse that they share: set it, or let this process do every role',
    });
  }
  if ((payloads.accessKeyId === undefined) !== (payloads.secretAccessKey === undefined)) {
    faults.push({
      field: 'payloads.secretAccessKey',
      problem: 'accessKeyId and secretAccessKey are set both or neither',
    });
  }
  if (messages.inlineBytes > messages.maxBytes) {
    faults.push({ field: 'messages.inlineBytes', problem: 'is larger than messages.maxBytes' });
  }
  return faults;
}

function faultsOf(issue: z.core.$ZodIssue): Fault[] {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    const paths = listSettings().map((setting) => setting.path);
    return issue.keys.map((key) => {
      const field = [...path, key].join('.');
      const successor = successorOfKey(field, paths);
      return {
        field,
        problem: successor === undefined ? 'is not a setting' : `is called ${successor} now`,
      };
    });
  }
  return [{ field: path.join('.'), problem: issue.message }];
}
