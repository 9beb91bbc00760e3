import type { CheckSources } from '../capabilities/startup-check.ts';
import type { HostCapability } from './capability-set.ts';
import type { Configuration } from './configuration.ts';
import type { HostFinding } from './startup-checks.ts';

/** What the checks of capabilities find before a start. */
export async function checkCapabilities(
  list: readonly Pick<HostCapability, 'name' | 'startupCheck'>[],
  sources: CheckSources<Configuration>,
): Promise<readonly HostFinding[]> {
  const findings: HostFinding[] = [];
  for (const { startupCheck } of list) {
    const check = await startupCheck?.();
    findings.push(...((await check?.(sources)) ?? []));
  }
  return findings;
}
