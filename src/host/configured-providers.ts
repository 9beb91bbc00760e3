import { accountFaults, secretAccountFields } from '../engine/providers/provider-account.ts';
import type { HttpProviderConfig } from '../engine/providers/provider-config.ts';
import { type HttpProviderKind, httpProviderKinds, kindNamed } from '../engine/providers/provider-kinds.ts';
import { invariant } from '../kernel/invariant.ts';
import type { Configuration } from './configuration.ts';

/*
 * The providers of a configuration: those that it names, and those that keys and accounts in the environment make. One that it
 * names takes what it does not say itself from the account of its kind, but no key for an address of its own, except where
 * addresses belong to accounts (clouds).
 */

type GivenProvider = Configuration['models']['providers'][string];
type Given = Partial<Record<keyof HttpProviderConfig, unknown>>;

const clouds: ReadonlySet<HttpProviderKind> = new Set(['bedrock', 'azure', 'vertex']);
const secretFields = ['apiKey', ...secretAccountFields, 'credentialsFile'] as const;

/** Every provider by name, with its kind and its account. */
export function configuredProviders({
  models,
}: Pick<Configuration, 'models'>): Readonly<Record<string, HttpProviderConfig>> {
  const named = Object.entries(models.providers).map(([name, given]) => {
    const kind = kindNamed(given.kind ?? name);
    invariant(kind !== undefined, 'the kinds of providers are checked');
    return [name, completed(kind, given, accountOf(models, kind))] as const;
  });
  const kinds = new Set(named.map(([, { kind }]) => kind));
  const implied = httpProviderKinds
    .filter((kind) => !kinds.has(kind) && !(kind in models.providers))
    .flatMap((kind) => {
      const account = accountOf(models, kind);
      const config: HttpProviderConfig = { ...account, kind };
      if (Object.keys(account).length === 0 || accountFaults('', config).length > 0) return [];
      // Those two have always asked for their packages at start.
      const isStrict = kind === 'openai' || kind === 'anthropic';
      return [[kind, isStrict ? config : { ...config, isImplied: true }] as const];
    });
  return Object.fromEntries([...implied, ...named]);
}

/** What the environment tells of an account of this kind, or the configuration for all of its kind. */
function accountOf(
  models: Configuration['models'],
  kind: HttpProviderKind,
): Omit<HttpProviderConfig, 'kind'> {
  switch (kind) {
    case 'openai':
      return withoutUndefined({ apiKey: models.openaiApiKey });
    case 'anthropic':
      return withoutUndefined({ apiKey: models.anthropicApiKey });
    case 'openai-compatible':
      return {};
    default:
      return withoutUndefined(models.accounts[kind]);
  }
}

function completed(
  kind: HttpProviderKind,
  given: GivenProvider,
  account: Omit<HttpProviderConfig, 'kind'>,
): HttpProviderConfig {
  const own = withoutUndefined(given);
  const inherited: Record<string, unknown> = { ...account };
  const hasOwnKey = secretFields.some((field) => own[field] !== undefined);
  const isElsewhere = own.baseUrl !== undefined && !clouds.has(kind);
  if (hasOwnKey || isElsewhere) for (const field of secretFields) delete inherited[field];
  if (own.baseUrl !== undefined) delete inherited['resourceName'];
  if (own.resourceName !== undefined) delete inherited['baseUrl'];
  // A key of Vertex needs no project: who names one signs in with credentials.
  if (own.project !== undefined) delete inherited['apiKey'];
  return { ...inherited, ...own, kind };
}

function withoutUndefined(given: Given): Omit<HttpProviderConfig, 'kind'> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
