import type { Configuration, ConfigurationInput } from '../host/configuration.ts';
import { configurationOfCommand } from '../host/command-configuration.ts';
import type { CommandSurroundings, StoreOptions } from '../terminal/command-context.ts';

/** The configuration from file, environment and options. Throws MILLRACE_CONFIG_INVALID. */
export function configurationOf(
  { environment }: Pick<CommandSurroundings, 'environment'>,
  options: StoreOptions,
  more: ConfigurationInput = {},
): Configuration {
  return configurationOfCommand(environment, options, more);
}
