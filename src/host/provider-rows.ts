import {
  type HttpProviderKind,
  httpProviderKinds,
  priceProviderOfKind,
  providerKinds,
} from '../engine/providers/provider-kinds.ts';
import { variablesOf } from '../engine/providers/provider-variables.ts';
import { installCommand, installedVersion } from '../kernel/optional-package.ts';
import type { Configuration } from './configuration.ts';
import { configuredProviders } from './configured-providers.ts';

/** A provider that is configured, or a kind that could be. Nothing of its account is in it. */
export interface ProviderRow {
  readonly provider: string;
  readonly kind: HttpProviderKind;
  /** What makes it: an entry of `models.providers`, or an account in the environment. Undefined: nothing does. */
  readonly configuredBy?: 'entry' | 'environment';
  readonly package: string;
  /** The package's version; undefined when it is not installed. */
  readonly installed?: string;
  /** Whose list prices it has; undefined for a kind without a vendor. */
  readonly prices?: string;
  /** What is missing before its models can be asked. */
  readonly todo?: string;
}

/** The configured providers by name, then the kinds of which there is none. */
export function providerRows(configuration: Pick<Configuration, 'models'>): readonly ProviderRow[] {
  const configured = Object.entries(configuredProviders(configuration));
  const kinds = new Set(configured.map(([, { kind }]) => kind));
  const entries = configuration.models.providers;
  return [
    ...configured
      .toSorted(([left], [right]) => (left < right ? -1 : 1))
      .map(([name, config]): ProviderRow => ({
        ...facts(name, config.kind),
        configuredBy: Object.hasOwn(entries, name) ? 'entry' : 'environment',
        prices: priceProviderOfKind(name, config),
        ...(installedVersion(providerKinds[config.kind].package) === undefined
          ? { todo: installCommand([providerKinds[config.kind].package]) }
          : {}),
      })),
    ...httpProviderKinds
      .filter((kind) => !kinds.has(kind))
      .map((kind): ProviderRow => {
        const { vendor } = providerKinds[kind];
        return {
          ...facts(kind, kind),
          ...(vendor === undefined ? {} : { prices: vendor }),
          todo: whatMakes(kind),
        };
      }),
  ];
}

function facts(
  provider: string,
  kind: HttpProviderKind,
): Pick<ProviderRow, 'provider' | 'kind' | 'package' | 'installed'> {
  const name = providerKinds[kind].package;
  const installed = installedVersion(name);
  return { provider, kind, package: name, ...(installed === undefined ? {} : { installed }) };
}

function whatMakes(kind: HttpProviderKind): string {
  const [variable] = variablesOf(kind).apiKey ?? [];
  const entry = `models.providers.${kind === 'openai-compatible' ? '<name>' : kind}`;
  return variable === undefined ? `configure ${entry}` : `set ${variable}, or configure ${entry}`;
}
