/** What is told of messages that wait for one thing, beside their figures. */
export interface WaitExplanation {
  /** What is waited for, in other words than the reason's. */
  readonly about?: string | undefined;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
  readonly why: string;
  /** What would let them go on. */
  readonly change: string;
}

/** By the reason of a wait: what is told of it, given what is waited for. */
export type WaitExplanations = Readonly<Record<string, (about: string) => WaitExplanation>>;
