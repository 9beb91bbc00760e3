import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PayloadStore } from '../../src/drivers/payload-store/payload-store.ts';

export interface PayloadStoreUnderTest {
  readonly store: PayloadStore;
  /** Overwrites the stored bytes behind the store's back; `path` as a reference's fan-out gives it. */
  readonly corrupt: (path: string, bytes: Uint8Array) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** What every payload store must do. */
export function describePayloadStore(name: string, open: () => Promise<PayloadStoreUnderTest>): void {
  describe(`payload store contract: ${name}`, () => {
    let underTest: PayloadStoreUnderTest;
    let store: PayloadStore;

    beforeAll(async () => {
      underTest = await open();
      store = underTest.store;
    });

    afterAll(async () => {
      await underTest.stop();
    });

    const missing = { code: 'MILLRACE_PAYLOAD_MISSING', retryable: false };
    const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
    const inAnHour = (): Date => new Date(Date.now() + 3_600_000);
    const pathOf = (reference: string): string => {
      const digest = reference.split('/')[1] ?? '';
      return `sha256/${digest.slice(0, 2)}/${digest.slice(2, 4)}/${digest}`;
    };

    it('answers a ping', async () => {
      await expect(store.ping()).resolves.toBeUndefined();
    });

    it('names bytes by their content', async () => {
      const bytes = bytesOf('a document');
      const digest = createHash('sha256').update(bytes).digest('hex');
      expect(await store.put(bytes)).toBe(`sha256/${digest}/${bytes.byteLength}`);
    });

    it('gives back the bytes it was given, whatever they are', async () => {
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 2_000 }), async (bytes) => {
          const read = await store.get(await store.put(bytes));
          expect(Buffer.from(read).equals(bytes)).toBe(true);
        }),
        { numRuns: 15, examples: [[new Uint8Array()], [bytesOf('\0\r\n\u{1F680}')]] },
      );
    });

    it('keeps several megabytes', async () => {
      const bytes = new Uint8Array(5_000_000).map((_, index) => index % 251);
      expect(Buffer.from(await store.get(await store.put(bytes))).equals(bytes)).toBe(true);
    });

    it('stores the same bytes once, also when many do so at once', async () => {
      const bytes = bytesOf('put by many');
      const references = await Promise.all(Array.from({ length: 10 }, () => store.put(bytes)));
      expect(new Set(references).size).toBe(1);
      expect(Buffer.from(await store.get(references[0] ?? '')).equals(bytes)).toBe(true);
    });

    it('says that a payload is missing', async () => {
      await expect(store.get(`sha256/${'0'.repeat(64)}/3`)).rejects.toMatchObject(missing);
    });

    it('removes a payload, and what is not there to no effect', async () => {
      const reference = await store.put(bytesOf('to be removed'));
      expect(await store.remove(reference, inAnHour())).toBe(true);
      await expect(store.get(reference)).rejects.toMatchObject(missing);
      expect(await store.remove(reference, inAnHour())).toBe(true);
    });

    it('keeps a payload that was put since', async () => {
      const reference = await store.put(bytesOf('still young'));
      expect(await store.remove(reference, new Date(Date.now() - 3_600_000))).toBe(false);
      expect(Buffer.from(await store.get(reference)).toString()).toBe('still young');
    });

    it('refuses bytes that are not those that were put', async () => {
      const reference = await store.put(bytesOf('original'));
      await underTest.corrupt(pathOf(reference), bytesOf('0riginal'));
      await expect(store.get(reference)).rejects.toMatchObject(missing);
      await underTest.corrupt(pathOf(reference), bytesOf('orig'));
      await expect(store.get(reference)).rejects.toMatchObject(missing);
    });

    it('refuses what is not a reference', async () => {
      await expect(store.get('sha256/../../etc/passwd/3')).rejects.toThrow(/payload reference/);
    });
  });
}
