import type { Clock } from '../kernel/clock.ts';
import type { ProviderRegistry } from '../engine/providers/provider-registry.ts';
import type { StageDefinition } from '../engine/pipeline/stage-definition.ts';
import type { Pricer } from '../pricing/price.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MillraceMetrics } from './metric-catalogue.ts';
import type { Configuration } from './configuration.ts';
import { checkCapabilities } from './capability-checks.ts';
import type { HostCapability } from './capability-set.ts';
import { namesOf } from './closed-names.ts';
import { allowing, enforce, findFaults } from './startup-checks.ts';
import { readStartupFacts } from './startup-facts.ts';
import type { Stores } from './stores.ts';

interface StartupParts {
  readonly configuration: Configuration;
  readonly list: readonly HostCapability[];
  readonly stores: Stores;
  readonly clock: Clock;
  readonly pricer: Pricer;
  readonly providers: ProviderRegistry;
  readonly metrics: MillraceMetrics;
  readonly logger: Logger;
  readonly unknownVariables: readonly string[];
}

/** Checks, before a host takes work, that nothing would break a promise. Throws MILLRACE_STARTUP_REFUSED. */
export function startupChecks(
  parts: StartupParts,
): (definitions: readonly StageDefinition[]) => Promise<void> {
  const { configuration, list, stores, clock, providers, pricer, metrics, logger } = parts;
  return async (definitions) => {
    const { migrate, allow = [] } = configuration.startup;
    const facts = await readStartupFacts({
      ...parts,
      ...stores,
      checksMigrations: !migrate,
      needsUsage: configuration.roles.some((role) => role !== 'worker'),
      definitions,
    });
    const sources = { ...stores, settings: configuration, clock, definitions, providers, pricer };
    const found = [...findFaults(facts), ...(await checkCapabilities(list, sources))];
    const findings = allowing(found, allow);
    for (const code of namesOf(list).findings) {
      metrics.set('startup_findings', { code }, findings.filter((finding) => finding.code === code).length);
    }
    enforce(findings, logger);
  };
}
