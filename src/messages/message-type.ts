import { AppError } from '../kernel/app-error.ts';
import { type Fault, fieldOf, maxFaults, toldFaults } from '../kernel/fault.ts';
import { invariant } from '../kernel/invariant.ts';
import { jsonForm } from './json-form.ts';
import type { InputOf, OutputOf, StandardIssue, StandardSchema } from './standard-schema.ts';

/*
 * Message types have numbered schema versions. A producer emits one version; a consumer accepts all up to one,
 * older ones being brought up step by step by up-casters. To change a schema, the consumer is deployed first.
 */

/** One version of a message type: what a producer emits. `Data` is what it takes, before defaults are filled in. */
export interface MessageVersion<Data = unknown> {
  readonly typeName: string;
  readonly version: number;
  /** The data as the schema leaves it. Throws MILLRACE_MESSAGE_INVALID with every fault. */
  validate(data: unknown): unknown;
  /** For types only. */
  readonly '~data'?: Data;
}

/** What a consumer accepts: the versions of one type up to one, as data of that one. */
export interface AcceptedVersions<Data = unknown> {
  readonly typeName: string;
  readonly versions: readonly number[];
  /** Data of any accepted version as data of the newest. Throws MILLRACE_MESSAGE_VERSION_UNSUPPORTED or …_INVALID. */
  read(version: number, data: unknown): Data;
}

/**
 * A version of a message type, as `defineMessage` makes it: what a producer emits, and what a consumer of this version
 * accepts (`consumes: Type.v2` is `Type.upTo(2)`: older versions are brought up to it). `Input` is the data before the
 * schema's defaults, `Output` after them.
 */
export interface DefinedVersion<Input = unknown, Output = unknown>
  extends MessageVersion<Input>, AcceptedVersions<Output> {}

interface VersionEntry {
  readonly schema: StandardSchema;
  readonly upcast: ((previous: unknown) => unknown) | undefined;
}

/**
 * A message type under construction: `.version(1, schema).version(2, schema, upcastFrom1)`. Every version appears as
 * a property (`Type.v1`), to be emitted and consumed; `Type.upTo(2)` is another way to say what a consumer of version 2
 * accepts.
 */
export type MessageType<
  Outputs extends Record<number, unknown>,
  Latest,
  Inputs extends Record<number, unknown> = Record<never, never>,
> = {
  readonly name: string;
  version<Number extends number, Schema extends StandardSchema>(
    number: Number,
    schema: Schema,
    ...upcast: [Latest] extends [never] ? [] : [upcast: (previous: Latest) => InputOf<Schema>]
  ): MessageType<
    Outputs & Record<Number, OutputOf<Schema>>,
    OutputOf<Schema>,
    Inputs & Record<Number, InputOf<Schema>>
  > &
    VersionProperties<Inputs, Outputs> &
    Record<`v${Number}`, DefinedVersion<InputOf<Schema>, OutputOf<Schema>>>;
  upTo<Number extends keyof Outputs & number>(number: Number): AcceptedVersions<Outputs[Number]>;
};

type VersionProperties<Inputs extends Record<number, unknown>, Outputs extends Record<number, unknown>> = {
  readonly [Number in keyof Inputs & keyof Outputs & number as `v${Number}`]: DefinedVersion<
    Inputs[Number],
    Outputs[Number]
  >;
};

const namePattern = /^[a-z][a-z0-9]*([._-][a-z0-9]+)*$/;

/** Begins a message type. Names are lower case with dots or dashes: "document.fetched". */
export function defineMessage(name: string): MessageType<Record<never, never>, never> {
  invariant(namePattern.test(name) && name.length <= 128, `"${name}" is a message type's name`);
  // The builder's type grows with every version; the translation from the plain object is this one cast.
  return buildType(name, new Map()) as unknown as MessageType<Record<never, never>, never>;
}

function buildType(name: string, entries: ReadonlyMap<number, VersionEntry>): Record<string, unknown> {
  const versions = Object.fromEntries(
    [...entries.keys()].map((version) => [`v${version}`, definedVersion(name, entries, version)]),
  );
  return {
    ...versions,
    name,
    version(number: number, schema: StandardSchema, upcast?: (previous: unknown) => unknown) {
      invariant(number === entries.size + 1, `versions of ${name} are numbered 1, 2, 3, …`);
      invariant(
        number === 1 || upcast !== undefined,
        `${name} version ${number} says how version ${number - 1} becomes it`,
      );
      return buildType(name, new Map([...entries, [number, { schema, upcast }]]));
    },
    upTo: (number: number) => acceptedVersions(name, entries, number),
  };
}

function definedVersion(
  typeName: string,
  entries: ReadonlyMap<number, VersionEntry>,
  version: number,
): DefinedVersion {
  const entry = entries.get(version);
  invariant(entry !== undefined, `${typeName} has a version ${version}`);
  return {
    ...acceptedVersions(typeName, entries, version),
    version,
    validate: (data) => validate(typeName, version, entry.schema, data),
  };
}

function acceptedVersions(
  typeName: string,
  entries: ReadonlyMap<number, VersionEntry>,
  newest: number,
): AcceptedVersions {
  invariant(entries.has(newest), `${typeName} has a version ${newest}`);
  const versions = [...entries.keys()].filter((version) => version <= newest);
  return {
    typeName,
    versions,
    read(version, data) {
      const entry = entries.get(version);
      if (entry === undefined || version > newest) throw unsupportedVersion(typeName, version, versions);
      let current = validate(typeName, version, entry.schema, data);
      for (let next = version + 1; next <= newest; next += 1) {
        const step = entries.get(next);
        invariant(step?.upcast !== undefined, `${typeName} version ${next} has an up-caster`);
        current = validate(typeName, next, step.schema, step.upcast(current));
      }
      return current;
    },
  };
}

/** The refusal of a version that no consumer accepts (too new, or never defined). */
export function unsupportedVersion(typeName: string, version: number, accepted: readonly number[]): AppError {
  return new AppError(
    'MILLRACE_MESSAGE_VERSION_UNSUPPORTED',
    `Message type "${typeName}" version ${version} is not accepted here; accepted: ${accepted.join(', ')}`,
  );
}

function validate(typeName: string, version: number, schema: StandardSchema, data: unknown): unknown {
  const result = schema['~standard'].validate(data);
  invariant(
    !(result instanceof Promise),
    `the schema of ${typeName} version ${version} validates without waiting`,
  );
  if (result.issues === undefined) return result.value;
  const faults = result.issues.slice(0, maxFaults).map((issue) => faultOf(issue));
  throw invalidData(`The data of "${typeName}" version ${version} is not valid`, faults);
}

/**
 * The data as a consumer will read it from its JSON. Throws MILLRACE_MESSAGE_INVALID, with paths, for what JSON does not
 * carry: a BigInt, a Map, undefined in an array, a cycle, more than `maxDepth` levels.
 */
export function storedForm(typeName: string, data: unknown, maxDepth?: number): unknown {
  const form = jsonForm(data, maxDepth);
  if (form.kind === 'json') return form.value;
  throw invalidData(`The data of "${typeName}" cannot be stored as JSON`, form.faults);
}

function invalidData(what: string, faults: readonly Fault[]): AppError {
  return new AppError('MILLRACE_MESSAGE_INVALID', `${what}: ${toldFaults(faults)}`, { faults });
}

function faultOf(issue: StandardIssue): Fault {
  const path = (issue.path ?? []).map((part) => (typeof part === 'object' ? part.key : part));
  return { field: fieldOf(['data', ...path]), problem: issue.message };
}
