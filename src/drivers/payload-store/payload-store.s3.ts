import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { AppError } from '../../kernel/app-error.ts';
import { checkPayload, parseReference, referenceOf } from './payload-reference.ts';
import type { PayloadReference, PayloadStore } from './payload-store.ts';

/** An S3-compatible bucket, which must exist. */
export interface S3PayloadStoreOptions {
  readonly bucket: string;
  readonly region: string;
  /** Before every key, with its slash: "millrace/". */
  readonly prefix?: string;
  /** For services other than AWS. */
  readonly endpoint?: string;
  /** The bucket in the path instead of the host name, as most compatible services want it. */
  readonly forcePathStyle?: boolean;
  /** Absent: the SDK's own search (environment, profile, instance role). */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly requestTimeoutMs: number;
  /** Tries of one request, the first included. */
  readonly maxAttempts: number;
}

/** Payloads as objects named by their digest: putting the same again writes the same bytes over themselves. */
export class S3PayloadStore implements PayloadStore {
  readonly kind = 's3';
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;

  constructor(options: S3PayloadStoreOptions) {
    this.#bucket = options.bucket;
    this.#prefix = options.prefix ?? '';
    this.#client = new S3Client({
      region: options.region,
      ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
      ...(options.credentials === undefined ? {} : { credentials: { ...options.credentials } }),
      forcePathStyle: options.forcePathStyle ?? false,
      maxAttempts: options.maxAttempts,
      requestHandler: {
        connectionTimeout: options.requestTimeoutMs,
        requestTimeout: options.requestTimeoutMs,
        throwOnRequestTimeout: true,
      },
      // The digest in the name guards the bytes; not every compatible service knows the newer checksums.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    });
  }

  async put(bytes: Uint8Array): Promise<PayloadReference> {
    const reference = referenceOf(bytes);
    try {
      await this.#client.send(
        new PutObjectCommand({ ...this.#object(reference), Body: bytes, ContentLength: bytes.byteLength }),
      );
    } catch (error) {
      throw unavailable(`The payload ${reference} could not be stored`, error);
    }
    return reference;
  }

  async get(reference: PayloadReference): Promise<Uint8Array> {
    let bytes: Uint8Array | undefined;
    try {
      const answer = await this.#client.send(new GetObjectCommand(this.#object(reference)));
      bytes = await answer.Body?.transformToByteArray();
    } catch (error) {
      if (!isMissingObject(error)) throw unavailable(`The payload ${reference} could not be read`, error);
      throw new AppError('MILLRACE_PAYLOAD_MISSING', `The payload ${reference} is not there.`, {
        cause: error,
      });
    }
    checkPayload(reference, bytes ?? new Uint8Array());
    return bytes ?? new Uint8Array();
  }

  /** Between the look and the removal lies one round trip; S3 offers no way to do both at once. */
  async remove(reference: PayloadReference, putBefore: Date): Promise<boolean> {
    try {
      const { LastModified: putAt } = await this.#client.send(new HeadObjectCommand(this.#object(reference)));
      if (putAt === undefined || putAt.getTime() >= putBefore.getTime()) return false;
      await this.#client.send(new DeleteObjectCommand(this.#object(reference)));
    } catch (error) {
      if (!isMissingObject(error)) throw unavailable(`The payload ${reference} could not be removed`, error);
    }
    return true;
  }

  async ping(): Promise<void> {
    try {
      await this.#client.send(new HeadBucketCommand({ Bucket: this.#bucket }));
    } catch (error) {
      throw unavailable(`The bucket ${this.#bucket} did not answer`, error);
    }
  }

  close(): Promise<void> {
    this.#client.destroy();
    return Promise.resolve();
  }

  #object(reference: PayloadReference): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#bucket, Key: this.#prefix + parseReference(reference).path };
  }
}

// A missing bucket is a wrong configuration or an outage, not a lost payload.
function isMissingObject(error: unknown): boolean {
  return error instanceof S3ServiceException && (error.name === 'NoSuchKey' || error.name === 'NotFound');
}

function unavailable(what: string, error: unknown): AppError {
  const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new AppError('MILLRACE_PAYLOAD_UNAVAILABLE', `${what}: ${reason}`, { cause: error });
}
