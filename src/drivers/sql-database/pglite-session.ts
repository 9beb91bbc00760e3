import { messages, type PGlite, protocol } from '@electric-sql/pglite';
import { invariant } from '../../kernel/invariant.ts';
import { type ColumnParser, columnParser } from './column-value.ts';
import { parameterText } from './parameter-text.ts';
import type { SqlResult, SqlStatement } from './sql-database.ts';

/*
 * PGlite's single session, spoken to in PostgreSQL's own protocol: a statement is parsed once and kept under
 * its name, and bind, execute and sync go in one message. That is half the time of PGlite's own query(),
 * which parses and describes every time. Calls must not overlap; the owner gives turns.
 */

const { serialize } = protocol;

/** One column of a result. */
interface Column {
  readonly name: string;
  readonly parse: ColumnParser;
}

/** Runs statements on the session of a PGlite instance. */
export class PgliteSession {
  readonly #pglite: PGlite;
  readonly #prepared = new Map<string, string>();

  constructor(pglite: PGlite) {
    this.#pglite = pglite;
  }

  /** Runs one statement. Throws PostgreSQL's error with its SQLSTATE as `code`. */
  async query<Row>(statement: SqlStatement, parameters: readonly unknown[]): Promise<SqlResult<Row>> {
    const known = this.#prepared.get(statement.name);
    invariant(
      known === undefined || known === statement.text,
      `the statement name ${statement.name} stands for one text`,
    );
    const parts: Uint8Array[] = [];
    if (known === undefined) parts.push(serialize.parse({ name: statement.name, text: statement.text }));
    parts.push(
      serialize.bind({ statement: statement.name, values: parameters.map(parameterText) }),
      serialize.describe({ type: 'P' }),
      serialize.execute(),
      serialize.sync(),
    );
    const answer = await this.#send(Buffer.concat(parts));
    if (answer.some((message) => message.name === 'parseComplete')) {
      this.#prepared.set(statement.name, statement.text);
    }
    return resultOf<Row>(answer);
  }

  /** Runs a script of statements without parameters, and answers the last command's tag. */
  async execute(script: string): Promise<string> {
    const answer = await this.#send(serialize.query(script));
    failOnError(answer);
    return tagOf(answer);
  }

  #send(bytes: Uint8Array): ReturnType<PGlite['execProtocolStream']> {
    return this.#pglite.execProtocolStream(bytes, { syncToFs: false, throwOnError: false });
  }
}

type Answer = Awaited<ReturnType<PGlite['execProtocolStream']>>;

function failOnError(answer: Answer): void {
  for (const message of answer) {
    if (message instanceof messages.DatabaseError) {
      // The protocol parser makes the error without a stack of its own.
      Error.captureStackTrace(message, failOnError);
      throw message;
    }
  }
}

function resultOf<Row>(answer: Answer): SqlResult<Row> {
  failOnError(answer);
  let columns: Column[] = [];
  const rows: Row[] = [];
  for (const message of answer) {
    if (message instanceof messages.RowDescriptionMessage) {
      columns = message.fields.map((field) => ({ name: field.name, parse: columnParser(field.dataTypeID) }));
    } else if (message instanceof messages.DataRowMessage) {
      rows.push(rowOf(columns, message.fields) as Row);
    }
  }
  return { rows, affected: affectedBy(tagOf(answer)) };
}

function rowOf(columns: readonly Column[], fields: readonly (string | null)[]): Record<string, unknown> {
  const row: Record<string, unknown> = {};
  columns.forEach((column, index) => {
    const text = fields[index] ?? null;
    row[column.name] = text === null ? null : column.parse(text);
  });
  return row;
}

function tagOf(answer: Answer): string {
  let tag = '';
  for (const message of answer) {
    if (message instanceof messages.CommandCompleteMessage) tag = message.text;
  }
  return tag;
}

const changing = /^(?:INSERT \d+|UPDATE|DELETE|MERGE) (\d+)$/;

function affectedBy(tag: string): number {
  return Number(changing.exec(tag)?.[1] ?? 0);
}
