/** What is known of an error code, wherever it is used. */
export interface ErrorCodeEntry {
  /** The HTTP status when the error reaches an API caller. */
  readonly status: number;
  /** Whether the same attempt may succeed later. */
  readonly retryable: boolean;
  /** What happened, in one sentence. */
  readonly what: string;
  /** What the reader can do about it. */
  readonly todo: string;
}
