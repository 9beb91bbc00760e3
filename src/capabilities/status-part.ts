import type { z } from 'zod';
import type { SqlDatabase } from '../drivers/sql-database/sql-database.ts';
import type { Waiting } from '../engine/ledger/waits.ts';
import type { Clock } from '../kernel/clock.ts';

/** What the status is read from: a ledger, with or without a host. */
export interface StatusSources {
  readonly database: SqlDatabase;
  readonly clock: Clock;
}

/**
 * What a capability adds to the status of an installation: `Members` in code, `Document` as API and command line show
 * them.
 */
export interface StatusPart<Members extends object = object, Document extends object = object> {
  /** The members of the document. */
  readonly schema: Readonly<Record<string, z.ZodType>>;
  readonly read: (sources: StatusSources) => Promise<StatusReading<Members, Document>>;
}

/** A part as it stands. */
export interface StatusReading<Members extends object = object, Document extends object = object> {
  readonly members: Members;
  readonly document: Document;
  /** What the command says below its figures, one line each. */
  readonly lines?: readonly string[];
  /** What it shows after that, each with an empty line before it; `leased` messages are being worked on. */
  readonly tables?: (work: { readonly leased: number }) => readonly string[];
  /** The explanation of a wait for something of this capability; undefined of any other. */
  readonly explain?: (wait: Waiting) => WaitExplanation | undefined;
  /** What stops work though no message's row says so: it is under way, or nobody has come upon it yet. */
  readonly unnoted?: readonly UnnotedWait[];
  /** Whether it keeps a stage from being worked on at all. */
  readonly stops?: (stage: string) => boolean;
}

/** The explanation of a wait, beside its figures. */
export interface WaitExplanation {
  readonly about?: string | undefined;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
  readonly why: string;
  readonly change: string;
}

/** A wait that no row of a message notes. */
export interface UnnotedWait {
  readonly reason: string;
  /** Which one, as the rows of messages would name it. */
  readonly name: string;
  readonly messages: number;
  readonly stages: readonly string[];
  readonly explanation: WaitExplanation;
}
