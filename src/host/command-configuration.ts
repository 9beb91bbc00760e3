import type { StoreOptions } from '../terminal/command-context.ts';
import type { Configuration, ConfigurationInput } from './configuration.ts';
import { loadConfiguration } from './load-configuration.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The configuration from file, environment and a command's options. Throws MILLRACE_CONFIG_INVALID. */
export function configurationOfCommand(
  environment: Environment,
  { config, data }: StoreOptions,
  more: ConfigurationInput = {},
): Configuration {
  return loadConfiguration({
    environment,
    ...(config === undefined ? {} : { file: config }),
    options: { ...more, ...(data === undefined ? {} : { dataDirectory: data }) },
  });
}
