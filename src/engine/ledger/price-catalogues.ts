import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { named } from '../../drivers/sql-database/sql-statement.ts';
import { invariant } from '../../kernel/invariant.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { type ReadCatalogue, readCatalogueText } from '../../pricing/catalogue-file.ts';
import { recordAction } from './operator-action.ts';

/** Who takes a catalogue, and why. */
export interface TakeOperation {
  /** In the audit. */
  readonly id: Uuid;
  readonly actor: string;
  readonly reason: string;
}

/** The latest one, without its content: what tells whether it is another one. */
const readLatest = named(
  'prices.read_latest_catalogue',
  'select c.id, c.digest from millrace.price_catalogues c order by c.taken_at desc, c.id desc limit 1',
);

/** $1 its id. */
const readContent = named(
  'prices.read_catalogue',
  'select c.content from millrace.price_catalogues c where c.id = $1::uuid',
);

/** $1 the id, which is the audit's too, $2 digest, $3 content or null, $4 actor, $5 reason, $6 what it changes, as JSON. */
const takeCatalogue = named(
  'prices.take_catalogue',
  `with taken as (
     insert into millrace.price_catalogues (id, digest, content, actor, reason) values ($1::uuid, $2, $3, $4, $5) returning id, digest),
   audited as (
     ${recordAction({
       id: 'id',
       actor: '$4',
       action: "'prices.take'",
       target: "'price catalogue ' || digest",
       detail: '$6::json',
       reason: '$5',
       from: 'taken',
     })})
   select id from taken`,
);

/** The catalogues that operators have taken in place of the packaged one, in the ledger. */
export class PriceCatalogues {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** The latest one's id; undefined where none was taken. */
  async latest(): Promise<Uuid | undefined> {
    const { rows } = await this.#database.query<{ id: Uuid }>(readLatest);
    return rows[0]?.id;
  }

  /** The catalogue of an id; undefined for the packaged one. */
  async read(id: Uuid): Promise<ReadCatalogue | undefined> {
    const { rows } = await this.#database.query<{ content: string | null }>(readContent, [id]);
    const content = rows[0]?.content ?? null;
    if (content === null) return undefined;
    const read = readCatalogueText(content);
    invariant(!('faults' in read), 'a catalogue that was taken can be read');
    return read;
  }

  /** The one that holds; undefined: the packaged one. */
  async present(): Promise<ReadCatalogue | undefined> {
    const id = await this.latest();
    return id === undefined ? undefined : await this.read(id);
  }

  /** Takes a catalogue by its text, or the packaged one again. Audited. */
  async take(
    catalogue: { readonly digest: string; readonly text: string } | undefined,
    changes: Readonly<Record<string, unknown>>,
    { id, actor, reason }: TakeOperation,
  ): Promise<void> {
    const { digest = 'packaged', text = null } = catalogue ?? {};
    await this.#database.query(takeCatalogue, [id, digest, text, actor, reason, JSON.stringify(changes)]);
  }
}
