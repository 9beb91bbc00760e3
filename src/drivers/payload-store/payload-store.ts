/**
 * A store of bodies and answers that are too large for the ledger: files, or an S3-compatible bucket.
 * Failures are AppErrors: MILLRACE_PAYLOAD_UNAVAILABLE (retryable) or MILLRACE_PAYLOAD_MISSING.
 */
export interface PayloadStore {
  readonly kind: 'files' | 's3';
  /** Stores the bytes durably under a reference that follows from their content; storing the same twice is one. */
  put(bytes: Uint8Array): Promise<PayloadReference>;
  /** The bytes, checked against the reference's digest. */
  get(reference: PayloadReference): Promise<Uint8Array>;
  /** Removes what nobody has put since `putBefore`. True when it is gone, or was not there; false when it was put later. */
  remove(reference: PayloadReference, putBefore: Date): Promise<boolean>;
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** "sha256/<64 hex digits>/<size in bytes>" */
export type PayloadReference = string;
