/* Part of the build: the empty database that embedded ones are copied from. */
import { makePgliteTemplate } from '../src/drivers/sql-database/pglite-template.ts';

await makePgliteTemplate();
