/* Part of the build: the database that embedded ones are copied from. */
import { preferShortRun } from '../src/cli/engine-settings.ts';
import { makeMigratedPglite } from '../src/drivers/sql-database/migrated-pglite.ts';

preferShortRun();
await makeMigratedPglite();
