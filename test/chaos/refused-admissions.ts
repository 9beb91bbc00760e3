import type { Admissions, AdmitOptions } from '../../src/pipeline/admissions.ts';
import { AppError } from '../../src/kernel/app-error.ts';
import { SeededRandom } from './seeded-random.ts';
import { Report } from './workload.ts';

/*
 * Admissions that must be refused, each with 422 and the fields at fault, and that are tried beside innocent ones: what
 * one sender gets wrong is no other's trouble.
 */

interface Refused {
  readonly what: string;
  readonly code: 'MILLRACE_ORIGIN_INVALID' | 'MILLRACE_MESSAGE_INVALID';
  /** Where the fault is told to be. */
  readonly field: string;
  readonly options?: Partial<AdmitOptions>;
  readonly data?: () => unknown;
}

const origin = { team: 'support', customer: 'customer-1', feature: 'refused' } as const;
const ofOrigin = { code: 'MILLRACE_ORIGIN_INVALID' } as const;
const ofMessage = { code: 'MILLRACE_MESSAGE_INVALID' } as const;
const half = 'caf\ud83d';

function nested(levels: number): unknown {
  let value: unknown = 'inside';
  for (let level = 0; level < levels; level += 1) value = [value];
  return value;
}

function circular(): unknown {
  const data: Record<string, unknown> = { key: 'k' };
  data['self'] = data;
  return data;
}

export const refusedAdmissions: readonly Refused[] = [
  {
    ...ofOrigin,
    what: 'half an emoji in the team',
    field: 'origin.team',
    options: { origin: { ...origin, team: half } },
  },
  {
    ...ofOrigin,
    what: 'U+0000 in the customer',
    field: 'origin.customer',
    options: { origin: { ...origin, customer: 'a\u0000b' } },
  },
  {
    ...ofOrigin,
    what: 'text that turns in the feature',
    field: 'origin.feature',
    options: { origin: { ...origin, feature: '\u202eliam' } },
  },
  {
    ...ofOrigin,
    what: 'a batch without width',
    field: 'origin.batch',
    options: { origin: { ...origin, batch: '\u200b' } },
  },
  {
    ...ofOrigin,
    what: 'a team of 129 characters',
    field: 'origin.team',
    options: { origin: { ...origin, team: 't'.repeat(129) } },
  },
  {
    ...ofOrigin,
    what: '__proto__ as a label',
    field: 'origin.labels.__proto__',
    options: { origin: { ...origin, labels: JSON.parse('{"__proto__":"x"}') as Record<string, string> } },
  },
  {
    ...ofOrigin,
    what: 'half an emoji in a label',
    field: 'origin.labels.region',
    options: { origin: { ...origin, labels: { region: half } } },
  },
  { ...ofMessage, what: 'half an emoji in the id', field: 'id', options: { id: `refused ${half}` } },
  { ...ofMessage, what: 'U+0000 in the source', field: 'source', options: { source: 'a\u0000b' } },
  { ...ofMessage, what: 'an item of 513 characters', field: 'item', options: { item: 'i'.repeat(513) } },
  {
    ...ofMessage,
    what: '__proto__ in data',
    field: 'data.odd.__proto__',
    data: () => ({ odd: JSON.parse('{"__proto__":{"isAdmin":true}}') as unknown }),
  },
  { ...ofMessage, what: 'a BigInt in data', field: 'data.odd.amount', data: () => ({ odd: { amount: 1n } }) },
  {
    ...ofMessage,
    what: 'undefined in a list',
    field: 'data.odd.list.1',
    data: () => ({ odd: { list: [1, undefined] } }),
  },
  { ...ofMessage, what: 'a Map in data', field: 'data.odd.map', data: () => ({ odd: { map: new Map() } }) },
  {
    ...ofMessage,
    what: 'a number that is none',
    field: 'data.odd.ratio',
    data: () => ({ odd: { ratio: Number.NaN } }),
  },
  {
    ...ofMessage,
    what: 'data that refers to itself',
    field: 'data.odd.self',
    data: () => ({ odd: circular() }),
  },
  {
    ...ofMessage,
    what: '5,000 levels of data',
    field: 'data.odd.deep',
    data: () => ({ odd: { deep: nested(5000) } }),
  },
  {
    ...ofMessage,
    what: 'data that cannot be read',
    field: 'data',
    data: () => ({
      odd: {
        get secret(): never {
          throw new Error('not for you');
        },
      },
    }),
  },
];

/** How many are tried beside each lot of innocent ones. */
const triedAtOnce = 3;

/** Which are tried beside the lot that begins with this admission. */
export function refusedBeside(seed: number, index: number): readonly Refused[] {
  return new SeededRandom(`refused/${seed}/${index}`).shuffle(refusedAdmissions).slice(0, triedAtOnce);
}

/** Tries one. Answers what was wrong about its refusal; undefined when it was refused as it should be. */
export async function tryRefused(admissions: Admissions, refused: Refused): Promise<string | undefined> {
  const { what, code, field, options = {}, data = () => ({}) } = refused;
  const sound = { key: 'refused', parts: 1, text: 'refused' };
  try {
    await admissions.admit(
      Report.v1,
      Object.defineProperties(sound, Object.getOwnPropertyDescriptors(data())),
      {
        id: `refused ${what}`,
        source: 'chaos',
        origin,
        ...options,
      },
    );
    return `${what}: it was admitted`;
  } catch (error) {
    if (!(error instanceof AppError)) return `${what}: ${String(error)}`;
    const isTold = error.code === code && error.status === 422 && !error.retryable;
    const fields = error.faults.map((fault) => fault.field);
    const isThere = fields.some((told) => told === field || told.startsWith(`${field}.`));
    return isTold && isThere
      ? undefined
      : `${what}: ${error.code} at [${fields.join(', ')}] instead of ${code} at ${field}`;
  }
}
