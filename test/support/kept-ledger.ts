import type { Configuration } from '../../src/host/configuration.ts';
import { installationOf } from '../../src/host/command-installation.ts';
import type { StoreOptions } from '../../src/terminal/command-context.ts';
import type { Installation, LedgerAccess } from '../../src/terminal/installation.ts';

/**
 * The ledger of an embedded installation, open from the first command that asks for it until it is closed: opening PGlite takes ten times
 * as long as most commands do.
 */
export class KeptLedger {
  readonly #installation: Installation<Configuration>;
  #open: Promise<LedgerAccess> | undefined;
  #closed = Promise.withResolvers<void>();
  #ended: Promise<void> = Promise.resolve();

  constructor(installation: Installation<Configuration>) {
    this.#installation = installation;
  }

  /** As the installation gives it to a command. */
  access(): Promise<LedgerAccess> {
    this.#open ??= this.#begin();
    return this.#open;
  }

  /** Opens installations for commands: this one's ledger is kept, and given free for one that wants the column store too. */
  opener(
    environment: Readonly<Record<string, string>>,
  ): (options: StoreOptions) => Promise<Installation<Configuration>> {
    return (options) => {
      const installation = installationOf(environment, options);
      if (installation.settings.dataDirectory !== this.#installation.settings.dataDirectory)
        return Promise.resolve(installation);
      const { withStores } = installation;
      return Promise.resolve({
        ...installation,
        withLedger: async (work) => work(await this.access()),
        withStores: async (work) => {
          await this.close();
          return withStores(work);
        },
      });
    };
  }

  /** Gives it free for others; whoever asks for it then opens it again. */
  async close(): Promise<void> {
    this.#closed.resolve();
    await this.#ended;
    this.#open = undefined;
  }

  #begin(): Promise<LedgerAccess> {
    const opened = Promise.withResolvers<LedgerAccess>();
    const closed = Promise.withResolvers<void>();
    this.#closed = closed;
    this.#ended = this.#installation
      .withLedger((access) => {
        opened.resolve(access);
        return closed.promise;
      })
      .catch(opened.reject);
    return opened.promise;
  }
}
