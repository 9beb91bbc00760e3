/*
 * What every broker is to the triggers: records that are received, and acknowledged when what became of them is durable. Whoever
 * receives and dies leaves the records to whoever begins next.
 */

/** An event as its broker gave it. */
export interface EventRecord {
  /** What is in order in itself: a topic's partition, a queue, a stream, a table. At most 512 characters. */
  readonly partition: string;
  /** Its offset or id there: the same whenever it is delivered. */
  readonly position: string;
  /** What its sender keeps in order. */
  readonly key: string | undefined;
  /** By names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: Buffer;
  /** When it was sent, as the broker knows it. */
  readonly sentAt: Date | undefined;
}

/** How far a consumer is behind. */
export interface SourceLag {
  readonly partition: string;
  /** Records that nobody has acknowledged. */
  readonly records: number;
}

/** One topic, queue, stream or table, with its connection. One process at a time consumes it. */
export interface EventSource {
  /**
   * Consumes from the first record that was received and not acknowledged, whoever received it, so that no order is lost. Called at the
   * beginning, and when records were not acknowledged. Throws MILLRACE_SOURCE_UNAVAILABLE.
   */
  begin(): Promise<void>;
  /**
   * The next records of each partition in its order, at most `limit`; none when there are none within `waitMs`, or the signal is aborted.
   * Nothing is fetched ahead. Throws MILLRACE_SOURCE_UNAVAILABLE.
   */
  receive(limit: number, waitMs: number, signal: AbortSignal): Promise<readonly EventRecord[]>;
  /** These, which were received in this order, will not come again. Throws MILLRACE_SOURCE_UNAVAILABLE. */
  acknowledge(records: readonly EventRecord[]): Promise<void>;
  /** What was received and is not acknowledged goes back, for others or for later. */
  release(): Promise<void>;
  /** How far it is behind, by partition. */
  lag(): Promise<readonly SourceLag[]>;
  /** Ends the connection. What was received and is not acknowledged comes again. */
  close(): Promise<void>;
}
