import type { CapabilityContext, CapabilityParts } from '../capability.ts';
import { Pipelines } from './pipelines.ts';

/** Composes what tells of pipelines. */
export function openPipelines({ engine: { registry } }: CapabilityContext<unknown>): CapabilityParts {
  return { services: [[Pipelines, new Pipelines(registry)]] };
}
