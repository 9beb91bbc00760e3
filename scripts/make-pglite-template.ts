/* Part of the build: the database that embedded ones are copied from. */
import { makeMigratedPglite } from '../src/drivers/sql-database/migrated-pglite.ts';

await makeMigratedPglite();
