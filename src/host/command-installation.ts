import type { Installation } from '../terminal/installation.ts';
import type { StoreOptions } from '../terminal/command-context.ts';
import { configurationOfCommand } from './command-configuration.ts';
import type { Configuration } from './configuration.ts';
import { withExistingLedger } from './operator-ledger.ts';
import { withExistingStores } from './operator-stores.ts';
import { openPayloads } from './stores.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The installation that a command's options name. Throws MILLRACE_CONFIG_INVALID. */
export function installationOf(environment: Environment, options: StoreOptions): Installation<Configuration> {
  return installationWith(configurationOfCommand(environment, options));
}

/** The installation of a configuration. */
export function installationWith(configuration: Configuration): Installation<Configuration> {
  const more = { openPayloads: () => openPayloads(configuration) };
  return {
    settings: configuration,
    withLedger: (work) =>
      withExistingLedger(configuration, (database, access) =>
        work({
          ...more,
          database,
          clock: access.clock,
          isAlone: access.isAlone,
          notifications: () => access.notifications(),
        }),
      ),
    withStores: (work) => withExistingStores(configuration, (stores) => work({ ...more, ...stores })),
  };
}
