import { type PGlite, protocol } from '@electric-sql/pglite';
import {
  type BackendMessage,
  CommandCompleteMessage,
  DatabaseError,
  DataRowMessage,
  RowDescriptionMessage,
} from 'pg-protocol/dist/messages.js';
import { Parser } from 'pg-protocol/dist/parser.js';
import { invariant } from '../../kernel/invariant.ts';
import { type ColumnParser, columnParser } from './column-value.ts';
import { parameterText } from './parameter-text.ts';
import { plannedOnceSettings } from './session-settings.ts';
import type { SqlResult, SqlStatement } from './sql-database.ts';

/*
 * PGlite's single session, spoken to in PostgreSQL's own protocol: a statement is parsed once and kept under
 * its name, and bind, execute and sync go in one message. That is half the time of PGlite's own query(),
 * which parses and describes every time. Calls must not overlap; the owner gives turns.
 *
 * Answers are read by the parser of `pg`: PGlite's own drops a U+FEFF that a text begins with.
 */

const { serialize } = protocol;

/** Puts the session in the state for statements that are planned once, until the next sync. */
const planOnce: SqlStatement = {
  name: 'session.plan_once',
  text: `select ${[...plannedOnceSettings].map(([name, value]) => `set_config('${name}', '${value}', true)`).join(', ')}`,
};

/** One column of a result. */
interface Column {
  readonly name: string;
  readonly parse: ColumnParser;
}

/** Finds the parser of a column type, by the type's object id. */
export type ParserOf = (typeId: number) => ColumnParser;

/** What a script's last statement answered, and the tag of its command. */
export interface ScriptResult extends SqlResult<Record<string, unknown>> {
  readonly tag: string;
}

/** Runs statements on the session of a PGlite instance. */
export class PgliteSession {
  readonly #pglite: PGlite;
  readonly #parserOf: ParserOf;
  readonly #prepared = new Map<string, string>();

  constructor(pglite: PGlite, parserOf: ParserOf = columnParser) {
    this.#pglite = pglite;
    this.#parserOf = parserOf;
  }

  /** Runs one statement. Throws PostgreSQL's error with its SQLSTATE as `code`. */
  async query<Row>(statement: SqlStatement, parameters: readonly unknown[]): Promise<SqlResult<Row>> {
    const statements = statement.plan === 'once' ? [planOnce, statement] : [statement];
    const isNew = statements.filter((one) => !this.#isPrepared(one));
    const parts: Uint8Array[] = [];
    for (const one of statements) {
      if (isNew.includes(one)) parts.push(serialize.parse({ name: one.name, text: one.text }));
      const values = one === statement ? parameters.map(parameterText) : [];
      parts.push(serialize.bind({ statement: one.name, values }));
      if (one === statement) parts.push(serialize.describe({ type: 'P' }));
      parts.push(serialize.execute());
    }
    parts.push(serialize.sync());
    const answer = await this.#send(Buffer.concat(parts));
    const parsed = answer.filter((message) => message.name === 'parseComplete').length;
    for (const { name, text } of isNew.slice(0, parsed)) this.#prepared.set(name, text);
    const { rows, affected, tag } = resultOf<Row>(answer, this.#parserOf);
    // Where its stack overflows (JSON of many thousand levels), it ends without any word.
    if (tag === '') throw new Error('the database ended the statement without an answer');
    return { rows, affected };
  }

  #isPrepared({ name, text }: SqlStatement): boolean {
    const known = this.#prepared.get(name);
    invariant(known === undefined || known === text, `the statement name ${name} stands for one text`);
    return known !== undefined;
  }

  /** Runs a script of statements without parameters. */
  async execute(script: string): Promise<ScriptResult> {
    const answer = await this.#send(serialize.query(script));
    return resultOf(answer, this.#parserOf);
  }

  async #send(bytes: Uint8Array): Promise<Answer> {
    const pieces: Buffer[] = [];
    await this.#pglite.execProtocolRawStream(bytes, {
      syncToFs: false,
      // A view of memory that the engine writes the next piece to. What is thrown here would be lost: parse afterwards.
      onRawData: (piece) => pieces.push(Buffer.from(piece)),
    });
    const answer: BackendMessage[] = [];
    const parser = new Parser();
    for (const piece of pieces) parser.parse(piece, (message) => answer.push(message));
    return answer;
  }
}

type Answer = readonly BackendMessage[];

function failOnError(answer: Answer): void {
  for (const message of answer) {
    if (message instanceof DatabaseError) {
      // The protocol parser makes the error without a stack of its own.
      Error.captureStackTrace(message, failOnError);
      throw message;
    }
  }
}

function resultOf<Row>(answer: Answer, parserOf: ParserOf): SqlResult<Row> & { readonly tag: string } {
  failOnError(answer);
  let columns: Column[] = [];
  let rows: Row[] = [];
  let tag = '';
  for (const message of answer) {
    if (message.name === 'bindComplete') {
      rows = [];
      tag = '';
    } else if (message instanceof RowDescriptionMessage) {
      columns = message.fields.map((field) => ({ name: field.name, parse: parserOf(field.dataTypeID) }));
      rows = [];
    } else if (message instanceof DataRowMessage) {
      rows.push(rowOf(columns, message.fields) as Row);
    } else if (message instanceof CommandCompleteMessage) {
      tag = message.text;
    }
  }
  return { rows, affected: affectedBy(tag), tag };
}

function rowOf(columns: readonly Column[], fields: readonly (string | null)[]): Record<string, unknown> {
  const row: Record<string, unknown> = {};
  columns.forEach((column, index) => {
    const text = fields[index] ?? null;
    row[column.name] = text === null ? null : column.parse(text);
  });
  return row;
}

const changing = /^(?:INSERT \d+|UPDATE|DELETE|MERGE) (\d+)$/;

function affectedBy(tag: string): number {
  return Number(changing.exec(tag)?.[1] ?? 0);
}
