import type { UsageExporter } from '../engine/export/usage-exporter.ts';
import type { SweepLedger } from '../engine/ledger/sweep-ledger.ts';
import type { Logger } from '../telemetry/logger.ts';

export interface MaintenanceRoleOptions {
  readonly sweeps: SweepLedger;
  readonly exporter: Pick<UsageExporter, 'drain'>;
  readonly logger: Logger;
  /** This process's name. */
  readonly worker: string;
  /** There is only this process. */
  readonly isEmbedded: boolean;
}

// Every turn of a background job renews it. While it outlives a maintenance process that died, nobody sweeps: a dead worker's messages would
// wait for that on top of their own leases.
const roleLeaseMs = 5000;

/** The role "maintenance" of a process: one of all at a time holds it. */
export class MaintenanceRole {
  readonly #options: MaintenanceRoleOptions;

  constructor(options: MaintenanceRoleOptions) {
    this.#options = options;
  }

  /** Whether this process has the role, which it takes or renews. Embedded, there is only this process, which need not wait until the lease of one that was killed runs out. */
  async isOwn(): Promise<boolean> {
    const { isEmbedded, sweeps, worker } = this.#options;
    return isEmbedded || (await sweeps.acquireRole('maintenance', worker, roleLeaseMs));
  }

  /** What the stopping workers settled still goes out; if it cannot, it waits in the ledger for the next start. */
  async end(): Promise<void> {
    const { exporter, sweeps, worker, logger } = this.#options;
    try {
      if (await this.isOwn()) await exporter.drain();
      await sweeps.releaseRole('maintenance', worker);
    } catch (error) {
      logger.warn({ error }, 'the last usage records wait in the ledger for the next start');
    }
  }
}
