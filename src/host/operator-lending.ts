import { OperatorServer } from '../drivers/operator-socket/operator-server.ts';
import { removeSecrets } from '../telemetry/known-secrets.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Configuration } from './configuration.ts';
import type { Stores } from './stores.ts';
import { version } from './version.ts';

/**
 * Lets commands on this machine work beside an embedded host: it lends them its stores over a socket in the data
 * directory. Answers how to stop that. A socket that cannot be made keeps no host from working: it is logged.
 */
export async function lendStores(
  { configuration, logger }: { readonly configuration: Configuration; readonly logger: Logger },
  stores: Stores,
): Promise<() => Promise<void>> {
  const { ledger, columnStore, dataDirectory } = configuration;
  // Either store keeps other hosts from this data directory, and so from its socket.
  const isEmbedded = ledger.url === undefined || columnStore.url === undefined;
  // Windows has no sockets whose file says who may open them.
  if (!isEmbedded || process.platform === 'win32') return () => Promise.resolve();
  try {
    const server = await OperatorServer.listen({ dataDirectory, version, stores, clean: removeSecrets });
    return () => server.close();
  } catch (error) {
    logger.warn(
      { error },
      'commands cannot work beside this process: the operator socket in the data directory cannot be made',
    );
    return () => Promise.resolve();
  }
}
