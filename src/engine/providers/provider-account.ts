import type { Fault } from '../../kernel/app-error.ts';
import type { HttpProviderKind } from './provider-kinds.ts';
import type { ProviderAccount } from './provider-models.ts';
import { variablesOf } from './provider-variables.ts';

/*
 * What the clouds need beside an API key: whose account, where, and how it signs in.
 */

/** The fields of an account that a kind has. */
const accountFields: Readonly<Partial<Record<HttpProviderKind, readonly (keyof ProviderAccount)[]>>> = {
  bedrock: ['region', 'accessKeyId', 'secretAccessKey', 'sessionToken'],
  azure: ['resourceName', 'apiVersion', 'deploymentUrls'],
  vertex: ['project', 'location', 'accessToken', 'credentialsFile'],
};

/** All of them. */
const allAccountFields = Object.values(accountFields).flat();

/** The fields of an account that are secrets. */
export const secretAccountFields = ['accessKeyId', 'secretAccessKey', 'sessionToken', 'accessToken'] as const;

interface GivenAccount extends ProviderAccount {
  readonly kind: HttpProviderKind;
  readonly apiKey?: string;
  readonly baseUrl?: string;
}

/** A name that becomes a part of an address: one label of a host or one part of a path. */
const nameInAddress = /^[a-z0-9](?:[a-z0-9.:-]{0,62}[a-z0-9])?$/i;
const fieldsInAddress = ['region', 'resourceName', 'project', 'location'] as const;

/** What is missing of the account, or does not belong to its kind. */
export function accountFaults(field: string, given: GivenAccount): Fault[] {
  const { kind } = given;
  const own = accountFields[kind] ?? [];
  return [
    ...allAccountFields
      .filter((name) => given[name] !== undefined && !own.includes(name))
      .map((name) => ({ field: `${field}.${name}`, problem: `is no setting of the kind "${kind}"` })),
    ...fieldsInAddress
      .filter((name) => given[name] !== undefined && !nameInAddress.test(given[name]))
      .map((name) => ({
        field: `${field}.${name}`,
        problem: 'is a name of letters, digits and dashes, as it stands in an address',
      })),
    ...missingOf(given).map(([name, problem]) => ({ field: `${field}.${name}`, problem })),
  ];
}

function missingOf(given: GivenAccount): readonly (readonly [name: string, problem: string])[] {
  const { kind, apiKey, baseUrl } = given;
  switch (kind) {
    case 'openai':
    case 'anthropic':
      return [];
    case 'openai-compatible':
      return baseUrl === undefined
        ? [['baseUrl', 'is required for an OpenAI-compatible provider'] as const]
        : [];
    case 'bedrock': {
      const isPlaceless = given.region === undefined && (baseUrl === undefined || apiKey === undefined);
      const isHalf = (given.accessKeyId === undefined) !== (given.secretAccessKey === undefined);
      const isKeyless = apiKey === undefined && given.accessKeyId === undefined && !isHalf;
      return [
        ...(isPlaceless ? [['region', 'is required (AWS_REGION)'] as const] : []),
        ...(isHalf
          ? [['secretAccessKey', 'accessKeyId and secretAccessKey are set both or neither'] as const]
          : []),
        ...(isKeyless
          ? [
              [
                'apiKey',
                'is required (AWS_BEARER_TOKEN_BEDROCK), or accessKeyId and secretAccessKey (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)',
              ] as const,
            ]
          : []),
      ];
    }
    case 'azure':
      return [
        ...(given.resourceName === undefined && baseUrl === undefined
          ? [['resourceName', 'is required (AZURE_RESOURCE_NAME), or baseUrl'] as const]
          : []),
        ...(apiKey === undefined ? [['apiKey', 'is required (AZURE_API_KEY)'] as const] : []),
      ];
    case 'vertex':
      return apiKey !== undefined || baseUrl !== undefined
        ? []
        : (['project', 'location'] as const)
            .filter((name) => given[name] === undefined)
            .map(
              (name) => [name, `is required (GOOGLE_VERTEX_${name.toUpperCase()}), or an apiKey`] as const,
            );
    default:
      return apiKey === undefined && baseUrl === undefined
        ? [['apiKey', `is required (${variablesOf(kind).apiKey?.join(' or ') ?? 'no variable'})`] as const]
        : [];
  }
}
