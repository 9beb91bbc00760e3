import { createServer } from 'node:http';
import { chmod, mkdir, mkdtemp, open, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { FilesPayloadStore } from '../../src/drivers/payload-store/payload-store.files.ts';
import { S3PayloadStore } from '../../src/drivers/payload-store/payload-store.s3.ts';
import { s3Bucket, s3Credentials, startS3Server } from '../support/s3-server.ts';
import { describePayloadStore } from './payload-store.contract.ts';

const temporaryDirectory = (): Promise<string> => mkdtemp(join(tmpdir(), 'millrace-payload-store-'));
const now = new Date();
const unavailable = { code: 'MILLRACE_PAYLOAD_UNAVAILABLE', retryable: true };

const s3Store = (endpoint: string, { bucket = s3Bucket, requestTimeoutMs = 30_000 } = {}): S3PayloadStore =>
  new S3PayloadStore({
    bucket,
    region: 'us-east-1',
    prefix: 'test/',
    endpoint,
    forcePathStyle: true,
    credentials: s3Credentials,
    requestTimeoutMs,
    maxAttempts: 1,
  });

describePayloadStore('files', async () => {
  const directory = await temporaryDirectory();
  return {
    store: await new FilesPayloadStore({ directory }).open(now),
    corrupt: (path, bytes) => writeFile(join(directory, path), bytes),
    stop: () => rm(directory, { recursive: true }),
  };
});

describePayloadStore('S3', async () => {
  const directory = await temporaryDirectory();
  const server = await startS3Server(directory);
  const store = s3Store(server.endpoint);
  const client = new S3Client({
    region: 'us-east-1',
    endpoint: server.endpoint,
    forcePathStyle: true,
    credentials: s3Credentials,
  });
  return {
    store,
    corrupt: async (path, bytes) => {
      await client.send(new PutObjectCommand({ Bucket: s3Bucket, Key: `test/${path}`, Body: bytes }));
    },
    stop: async () => {
      client.destroy();
      await store.close();
      await server.stop();
      await rm(directory, { recursive: true });
    },
  };
});

describe('payloads as files', () => {
  it('reports a full disk as passing and leaves nothing behind', async () => {
    const directory = await temporaryDirectory();
    const store = await new FilesPayloadStore({ directory, open: () => open('/dev/full', 'w') }).open(now);
    await expect(store.put(new Uint8Array([1, 2, 3]))).rejects.toMatchObject(unavailable);
    await expect(store.put(new Uint8Array([1, 2, 3]))).rejects.toThrow(/ENOSPC/);
    expect(await readdir(join(directory, 'unfinished'))).toEqual([]);
    await rm(directory, { recursive: true });
  });

  it('removes what a crash left unfinished, once no writer can be at it', async () => {
    const directory = await temporaryDirectory();
    const store = await new FilesPayloadStore({ directory }).open(now);
    const reference = await store.put(new Uint8Array([4]));
    await writeFile(join(directory, 'unfinished', 'half'), 'half of');
    const again = await new FilesPayloadStore({ directory }).open(now);
    expect(await readdir(join(directory, 'unfinished'))).toEqual(['half']);
    await again.open(new Date(now.getTime() + 2 * 3_600_000));
    expect(await readdir(join(directory, 'unfinished'))).toEqual([]);
    expect(Buffer.from(await again.get(reference))).toEqual(Buffer.from([4]));
    await rm(directory, { recursive: true });
  });

  it('writes a payload anew whose file was cut short', async () => {
    const directory = await temporaryDirectory();
    const store = await new FilesPayloadStore({ directory }).open(now);
    const bytes = new Uint8Array([5, 6, 7]);
    const reference = await store.put(bytes);
    const digest = reference.split('/')[1] ?? '';
    await writeFile(join(directory, 'sha256', digest.slice(0, 2), digest.slice(2, 4), digest), '');
    await store.put(bytes);
    expect(Buffer.from(await store.get(reference)).equals(bytes)).toBe(true);
    await rm(directory, { recursive: true });
  });

  it('never loses what is put again while it is removed', async () => {
    const directory = await temporaryDirectory();
    const store = await new FilesPayloadStore({ directory }).open(now);
    const bytes = new Uint8Array([8, 9]);
    const reference = await store.put(bytes);
    const digest = reference.split('/')[1] ?? '';
    const path = join(directory, 'sha256', digest.slice(0, 2), digest.slice(2, 4), digest);
    const aDayAgo = new Date(now.getTime() - 86_400_000);
    const anHourAgo = new Date(now.getTime() - 3_600_000);
    for (let round = 0; round < 50; round += 1) {
      await utimes(path, aDayAgo, aDayAgo);
      await Promise.all([store.remove(reference, anHourAgo), store.put(bytes)]);
      expect(Buffer.from(await store.get(reference)).equals(bytes)).toBe(true);
    }
    expect(await readdir(join(directory, 'unfinished'))).toEqual([]);
    await rm(directory, { recursive: true });
  });

  it('lets no other user read', async () => {
    const directory = join(await temporaryDirectory(), 'payloads');
    await mkdir(join(directory, 'unfinished'), { recursive: true });
    // As earlier versions made them.
    for (const path of [directory, join(directory, 'unfinished')]) await chmod(path, 0o755);
    const store = await new FilesPayloadStore({ directory }).open(now);
    await store.put(new Uint8Array([10]));
    const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8);
    expect(await modeOf(directory)).toBe('700');
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    expect(entries.filter((entry) => entry.isFile())).toHaveLength(1);
    for (const entry of entries) {
      expect(await modeOf(join(entry.parentPath, entry.name)), entry.name).toBe(
        entry.isFile() ? '600' : '700',
      );
    }
    await rm(directory, { recursive: true });
  });

  it('is not well without its directory', async () => {
    const directory = await temporaryDirectory();
    const store = await new FilesPayloadStore({ directory }).open(now);
    await rm(directory, { recursive: true });
    await expect(store.ping()).rejects.toMatchObject(unavailable);
    await expect(new FilesPayloadStore({ directory: '/dev/null/nowhere' }).open(now)).rejects.toMatchObject(
      unavailable,
    );
  });
});

describe('payloads in S3', () => {
  it('calls a service that refuses connections unavailable', async () => {
    const directory = await temporaryDirectory();
    const server = await startS3Server(directory);
    const store = s3Store(server.endpoint);
    const reference = await store.put(new Uint8Array([1]));
    await server.stop();
    await expect(store.ping()).rejects.toMatchObject(unavailable);
    await expect(store.put(new Uint8Array([2]))).rejects.toMatchObject(unavailable);
    await expect(store.get(reference)).rejects.toMatchObject(unavailable);
    await store.close();
    await rm(directory, { recursive: true });
  });

  it('calls a missing bucket unavailable, not a missing payload', async () => {
    const directory = await temporaryDirectory();
    const server = await startS3Server(directory);
    const store = s3Store(server.endpoint, { bucket: 'no-such-bucket' });
    await expect(store.ping()).rejects.toMatchObject(unavailable);
    await expect(store.get(`sha256/${'0'.repeat(64)}/3`)).rejects.toMatchObject(unavailable);
    await store.close();
    await server.stop();
    await rm(directory, { recursive: true });
  });

  it('gives up on a service that does not answer in time', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const store = s3Store(`http://127.0.0.1:${(silent.address() as AddressInfo).port}`, {
      requestTimeoutMs: 500,
    });
    await expect(store.put(new Uint8Array([1]))).rejects.toMatchObject(unavailable);
    await store.close();
    silent.closeAllConnections();
    silent.close();
  });
});
