import type { SharedV4ProviderMetadata } from '@ai-sdk/provider';
import { isStorableText } from '../../kernel/storable-text.ts';
import {
  inputTokenClasses,
  outputTokenClasses,
  type TokenClass,
  tokenClasses,
  type TokenCounts,
} from '../../pricing/token-classes.ts';
import { type UnitCounts, type UsageUnit, usageUnits } from '../../pricing/usage-units.ts';
import type { ResponseHeaders } from './retry-after.ts';
import { asRecord, type ReportedUsage, wholeCount } from './token-usage.ts';

/*
 * Usage that a provider in code reads itself. What comes back is somebody else's code, about somebody else's answer: it is taken
 * as any report is, with what is no count marked as a fault, and within the limits of the request. It never fails the call.
 */

/** What `readUsage` gets of an answer. Undefined is what the model did not hand on; none of it is checked. */
export interface AnswerToRead {
  /** The provider's own usage block: `usage.raw` of a whole answer and of the end of a stream. */
  readonly usage: unknown;
  /** The body of a whole answer. */
  readonly body: unknown;
  readonly headers: ResponseHeaders | undefined;
  readonly providerMetadata: SharedV4ProviderMetadata | undefined;
}

/** What `readUsage` says of it. */
export interface UsageReading {
  /**
   * Tokens by class, each token in one class only. A half of which no class is named (input, output) counts as not reported: it is
   * counted from the texts, and the call is estimated. Name a class with 0 to say that there were none.
   */
  readonly tokens: TokenCounts;
  /** Uses of tools that the provider ran, which have prices of their own. */
  readonly units?: UnitCounts;
  /** The service tier that served it. */
  readonly tier?: string;
  /** Where it was served, as prices name it ("us"). */
  readonly geography?: string;
}

/** Reads the usage of an answer. Undefined, when it is in a form that Millrace reads itself. Synchronous and without effects. */
export type ReadUsage = (answer: AnswerToRead) => UsageReading | undefined;

/** A reading, checked. */
interface CheckedReading {
  readonly usage: ReportedUsage;
  readonly tier: string | undefined;
  readonly geography: string | undefined;
}

const maxNameCharacters = 64;
const maxFaultCharacters = 200;
const maxFaults = 8;

/** What the provider's own reader says; undefined without one, or when it leaves the answer to others. */
export function ownReading(
  { readUsage }: { readonly readUsage?: ReadUsage | undefined },
  answer: AnswerToRead,
): CheckedReading | undefined {
  if (readUsage === undefined) return undefined;
  let read: unknown;
  try {
    read = readUsage(answer);
    return read === undefined ? undefined : checked(read);
  } catch (error) {
    return nothingRead(
      `readUsage failed: ${error instanceof Error ? error.message : 'with what is no error'}`,
    );
  }
}

function nothingRead(fault: string): CheckedReading {
  const faults = [fault.slice(0, maxFaultCharacters)];
  return { usage: { input: undefined, output: undefined, faults }, tier: undefined, geography: undefined };
}

function checked(read: unknown): CheckedReading {
  const reading = asRecord(read);
  const tokens = asRecord(reading?.['tokens']);
  if (reading === undefined || tokens === undefined)
    return nothingRead('readUsage returned no tokens by class');
  const faults: string[] = [];
  const counts = countsOf<TokenClass>(tokens, tokenClasses, faults);
  const units = countsOf<UsageUnit>(asRecord(reading['units']) ?? {}, usageUnits, faults);
  return {
    usage: {
      input: half(counts, inputTokenClasses),
      output: half(counts, outputTokenClasses),
      ...(Object.keys(units).length === 0 ? {} : { units }),
      faults: faults.slice(0, maxFaults).map((fault) => fault.slice(0, maxFaultCharacters)),
    },
    tier: nameOf(reading['tier']),
    geography: nameOf(reading['geography']),
  };
}

function countsOf<Name extends string>(
  given: Readonly<Record<string, unknown>>,
  names: readonly Name[],
  faults: string[],
): Partial<Record<Name, number>> {
  const counts: Partial<Record<Name, number>> = {};
  const known: ReadonlySet<string> = new Set(names);
  for (const name of Object.keys(given)) if (!known.has(name)) faults.push(`${name} is no name of a count`);
  for (const name of names) {
    const count = given[name];
    if (count === undefined) continue;
    if (typeof count === 'number') counts[name] = wholeCount(name, count, faults);
    else faults.push(`${name} is no number`);
  }
  return counts;
}

function half(counts: TokenCounts, classes: readonly TokenClass[]): TokenCounts | undefined {
  const named = classes.filter((name) => counts[name] !== undefined);
  if (named.length === 0) return undefined;
  return Object.fromEntries(named.map((name) => [name, counts[name]]));
}

function nameOf(value: unknown): string | undefined {
  const isName =
    typeof value === 'string' && value !== '' && value.length <= maxNameCharacters && isStorableText(value);
  return isName ? value : undefined;
}
