/* Part of the build: the databases that embedded ones and those of tests are copied from. */
import { makeMigratedPglite } from '../src/drivers/sql-database/migrated-pglite.ts';
import { makePgliteTemplate } from '../src/drivers/sql-database/pglite-template.ts';

await makePgliteTemplate();
await makeMigratedPglite();
