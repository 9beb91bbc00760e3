import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import type { ProviderRegistry } from '../../../engine/providers/provider-registry.ts';
import { AppError } from '../../../kernel/app-error.ts';
import type { Logger } from '../../../telemetry/logger.ts';
import { openProviderBatchApi } from '../provider/open-provider-batch-api.ts';
import type { ProviderBatchAccount } from '../provider/provider-batch-account.ts';
import type { ProviderBatchApi } from '../provider/provider-batch-api.ts';
import { ProviderBatchDriver } from '../provider/provider-batch-driver.ts';
import type { OpenAccount, SettleOutcomes } from '../provider/provider-batch-steps.ts';
import type { ProviderModeSettings } from './provider-mode-settings.ts';

/** The port through which tests stand between the driver and its provider. */
export type OpenProviderBatchApi = (account: ProviderBatchAccount) => Promise<ProviderBatchApi>;

export interface ProviderAccountsOptions {
  readonly providers: Pick<ProviderRegistry, 'names' | 'connectionOf'>;
  readonly settings: ProviderModeSettings;
  readonly database: SqlDatabase;
  readonly settle: SettleOutcomes;
  readonly logger: Logger;
  readonly openApi?: OpenProviderBatchApi;
}

/** The accounts with batches, as they are opened. */
export interface OpenAccounts {
  readonly accounts: ReadonlyMap<string, OpenAccount>;
  readonly driver: ProviderBatchDriver;
}

/**
 * The configured providers that have batches, and the driver of these. The providers' packages are loaded when they are first needed; a
 * provider whose package is missing has no batches here.
 */
export class ProviderAccounts {
  readonly #options: ProviderAccountsOptions;
  #opening: Promise<OpenAccounts> | undefined;

  constructor(options: ProviderAccountsOptions) {
    this.#options = options;
  }

  /** The account of that name, undefined for one without batches. */
  async find(name: string): Promise<OpenAccount | undefined> {
    if (this.#accountOf(name) === undefined) return undefined;
    return (await this.open()).accounts.get(name);
  }

  /** All of them, with their driver. */
  async open(): Promise<OpenAccounts> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return await this.#opening;
  }

  async #open(): Promise<OpenAccounts> {
    const { providers, settings, database, settle, openApi = openProviderBatchApi, logger } = this.#options;
    const accounts = new Map<string, OpenAccount>();
    for (const name of providers.names) {
      const account = this.#accountOf(name);
      if (account === undefined) continue;
      try {
        accounts.set(name, { account, api: await openApi(account) });
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== 'MILLRACE_PACKAGE_MISSING') throw error;
        logger.warn(
          { error, provider: name },
          "the provider's batches cannot be used: its package is missing",
        );
      }
    }
    const driver = new ProviderBatchDriver({
      database,
      accounts: [...accounts.values()],
      settle,
      times: { pollMs: settings.pollMs },
    });
    return { accounts, driver };
  }

  /** Azure and whoever else speaks OpenAI's language have batches of their own kinds. */
  #accountOf(name: string): ProviderBatchAccount | undefined {
    const { providers, settings } = this.#options;
    const connection = providers.connectionOf(name);
    const { kind, apiKey, baseUrl, headers } = connection ?? {};
    if ((kind !== 'openai' && kind !== 'anthropic') || apiKey === undefined || apiKey === '')
      return undefined;
    const own = settings.accounts[name];
    return {
      name,
      kind,
      apiKey,
      baseUrl,
      headers,
      limits: {
        ...(own?.maxRequests === undefined ? {} : { maxRequests: own.maxRequests }),
        ...(own?.maxBytes === undefined ? {} : { maxBytes: own.maxBytes }),
        enqueuedTokens: own?.enqueuedTokens ?? {},
      },
    };
  }
}
