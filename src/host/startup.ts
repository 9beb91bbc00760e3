import type { Clock } from '../kernel/clock.ts';
import type { ProviderRegistry } from '../engine/providers/provider-registry.ts';
import type { StageDefinition } from '../engine/pipeline/stage-definition.ts';
import type { Pricer } from '../pricing/price.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MillraceMetrics } from './metric-catalogue.ts';
import type { Configuration } from './configuration.ts';
import { allowing, enforce, findFaults, findingCodes } from './startup-checks.ts';
import { readStartupFacts } from './startup-facts.ts';
import type { Stores } from './stores.ts';

interface StartupParts {
  readonly configuration: Configuration;
  readonly stores: Stores;
  readonly clock: Clock;
  readonly pricer: Pricer;
  readonly providers: ProviderRegistry;
  readonly metrics: MillraceMetrics;
  readonly logger: Logger;
}

/** Checks, before a host takes work, that nothing would break a promise. Throws MILLRACE_STARTUP_REFUSED. */
export function startupChecks(
  parts: StartupParts,
): (definitions: readonly StageDefinition[]) => Promise<void> {
  const { configuration, stores, metrics, logger } = parts;
  return async (definitions) => {
    const { migrate, allow = [] } = configuration.startup;
    const facts = await readStartupFacts({
      ...parts,
      ...stores,
      checksMigrations: !migrate,
      needsUsage: configuration.roles.some((role) => role !== 'worker'),
      definitions,
    });
    const findings = allowing(findFaults(facts), allow);
    for (const code of findingCodes) {
      metrics.set('startup_findings', { code }, findings.filter((finding) => finding.code === code).length);
    }
    enforce(findings, logger);
  };
}
