import { Parked } from '../parked.ts';
import type { AcceptedVersions } from '../../messages/message-type.ts';

/*
 * A message of a schema version that this process does not know yet. While versions are deployed side by side, the
 * producer may have come before the consumer: a newer worker exists, or is about to. So the message is put aside for
 * a while, for whichever worker takes it next. One that nobody understands for a quarter of an hour is a dead letter.
 */

const pauseMs = 5000;
const maxDeliveries = 180;

/** Throws Parked for a version that a newer process may know; older and hopeless ones are left to the schema's refusal. */
export function awaitNewerProcess(
  { typeName, versions }: Pick<AcceptedVersions, 'typeName' | 'versions'>,
  version: number,
  deliveries: number,
): void {
  const newest = Math.max(...versions);
  if (version <= newest || deliveries > maxDeliveries) return;
  throw new Parked(
    `"${typeName}" version ${version} is newer than version ${newest}, the newest that this process knows: it waits for a newer one`,
    { reason: 'version', about: `${typeName}.v${version}`, delayMs: pauseMs },
  );
}
