import { AppError } from '../../src/kernel/app-error.ts';
import type { ErrorCode } from '../../src/host/error-codes.ts';
import type { Admissions, AdmitOptions } from '../../src/engine/pipeline/admissions.ts';
import { Report } from './workload.ts';

/*
 * Admissions that must be refused, each with its status and the fields at fault, and that are tried beside innocent ones:
 * what one sender gets wrong is no other's trouble.
 */

/** How an admission is to be refused. */
export interface ExpectedRefusal {
  readonly what: string;
  readonly code: ErrorCode;
  readonly status: number;
  /** Where the fault is told to be. */
  readonly field: string;
}

interface RefusedAdmission extends ExpectedRefusal {
  admit(admissions: Admissions): Promise<unknown>;
}

interface RefusedEvent extends ExpectedRefusal {
  /** As it is when it was read from JSON. */
  event(): unknown;
}

interface Refused {
  readonly what: string;
  readonly code: 'MILLRACE_ORIGIN_INVALID' | 'MILLRACE_MESSAGE_INVALID';
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

const refused: readonly Refused[] = [
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

const sound = { key: 'refused', parts: 1, text: 'refused' } as const;

/** In code, with values that no JSON has among them. */
export const refusedAdmissions: readonly RefusedAdmission[] = refused.map(
  ({ what, code, field, options = {}, data = () => ({}) }) => ({
    what,
    code,
    status: 422,
    field,
    admit: (admissions) =>
      admissions.admit(
        Report.v1,
        // With their getters, which are not read here.
        Object.defineProperties({ ...sound }, Object.getOwnPropertyDescriptors(data())),
        { id: `refused ${what}`, source: 'chaos', origin, ...options },
      ),
  }),
);

const soundEvent = {
  specversion: '1.0',
  id: 'refused',
  source: 'chaos',
  type: Report.name,
  originteam: origin.team,
  origincustomer: origin.customer,
  originfeature: origin.feature,
  data: sound,
} as const;

const refusedAttributes: readonly (ExpectedRefusal & { readonly attributes: string })[] = [
  {
    ...ofOrigin,
    what: 'half an emoji in the team of an event',
    status: 422,
    field: 'originteam',
    attributes: '{"originteam":"caf\\ud83d"}',
  },
  {
    ...ofOrigin,
    what: 'text that turns in the customer of an event',
    status: 422,
    field: 'origincustomer',
    attributes: '{"origincustomer":"\\u202eliam"}',
  },
  {
    ...ofOrigin,
    what: '__proto__ as a label of an event',
    status: 422,
    field: 'originlabels.__proto__',
    attributes: '{"originlabels":"{\\"__proto__\\":\\"x\\"}"}',
  },
  {
    ...ofMessage,
    what: '__proto__ in the data of an event',
    status: 422,
    field: 'data.odd.__proto__',
    attributes: '{"data":{"key":"k","parts":1,"text":"t","odd":{"__proto__":{"isAdmin":true}}}}',
  },
  {
    ...ofMessage,
    what: '5,000 levels in the data of an event',
    status: 422,
    field: 'data.odd',
    attributes: `{"data":{"key":"k","parts":1,"text":"t","odd":${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}}}`,
  },
  {
    what: 'U+0000 in the id of an event',
    code: 'MILLRACE_REQUEST_INVALID',
    status: 400,
    field: 'id',
    attributes: '{"id":"a\\u0000b"}',
  },
  {
    what: 'half an emoji in the item of an event',
    code: 'MILLRACE_REQUEST_INVALID',
    status: 400,
    field: 'item',
    attributes: '{"item":"caf\\ud83d"}',
  },
];

/** As events of a batch. */
export const refusedEvents: readonly RefusedEvent[] = refusedAttributes.map(
  ({ attributes, ...expected }) => ({
    ...expected,
    event: () => ({
      ...soundEvent,
      id: `refused ${expected.what}`,
      ...(JSON.parse(attributes) as Record<string, unknown>),
    }),
  }),
);

/** Tries one. Answers what was wrong about its refusal; undefined when it was refused as it should be. */
export async function faultOfRefusal(
  { what, code, status, field }: ExpectedRefusal,
  admit: () => Promise<unknown>,
): Promise<string | undefined> {
  try {
    await admit();
    return `${what}: it was admitted`;
  } catch (error) {
    if (!(error instanceof AppError)) return `${what}: ${String(error)}`;
    const fields = error.faults.map((fault) => fault.field);
    const isTold = error.code === code && error.status === status && !error.retryable;
    const isThere = fields.some((told) => told === field || told.startsWith(`${field}.`));
    return isTold && isThere
      ? undefined
      : `${what}: ${error.code} at [${fields.join(', ')}] instead of ${code} at ${field}`;
  }
}
