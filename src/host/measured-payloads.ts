import type { PayloadStore } from '../drivers/payload-store/payload-store.ts';
import type { MillraceMetrics } from './metric-catalogue.ts';

/** The same store, counting the bytes that go in and out. */
export function measuredPayloads(store: PayloadStore, metrics: MillraceMetrics): PayloadStore {
  return {
    kind: store.kind,
    async put(bytes) {
      const reference = await store.put(bytes);
      metrics.increment('payload_bytes_total', { op: 'put' }, bytes.byteLength);
      return reference;
    },
    async get(reference) {
      const bytes = await store.get(reference);
      metrics.increment('payload_bytes_total', { op: 'get' }, bytes.byteLength);
      return bytes;
    },
    remove: (reference, putBefore) => store.remove(reference, putBefore),
    ping: () => store.ping(),
    close: () => store.close(),
  };
}
