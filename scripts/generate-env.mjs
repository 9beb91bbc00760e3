/*
 * Writes .env for docker-compose.yml: .env.example with a random password in every empty place, readable by its owner
 * only. An existing file is left alone. Plain JavaScript without packages, for machines that only run containers.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const usage = `Writes .env for docker-compose.yml, with a random password for each store.

  node scripts/generate-env.mjs                  for your own providers
  node scripts/generate-env.mjs --example        with the example pipeline and the simulated provider turned on
  node scripts/generate-env.mjs --output <file>  elsewhere

A file that exists is left alone.`;

const exampleSettings = /^#(?=(?:COMPOSE_PROFILES|MILLRACE_CONFIG|MILLRACE_STAGES=\/app\/dist\/examples))/gm;

const values = readOptions();
if (values.help) {
  console.log(usage);
  process.exit(0);
}

const template = readFileSync(new URL('../.env.example', import.meta.url), 'utf8');
const filled = template.replace(
  /^([A-Z_]+_PASSWORD)=$/gm,
  (_, name) => `${name}=${randomBytes(24).toString('hex')}`,
);
try {
  writeFileSync(values.output, values.example ? filled.replace(exampleSettings, '') : filled, {
    flag: 'wx',
    mode: 0o600,
  });
  console.log(`Written: ${values.output}`);
} catch (error) {
  if (error.code !== 'EEXIST') throw error;
  console.error(
    `${values.output} exists already and was left alone: its passwords are those of the databases.`,
  );
  process.exitCode = 1;
}

function readOptions() {
  try {
    return parseArgs({
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        example: { type: 'boolean', default: false },
        output: { type: 'string', default: fileURLToPath(new URL('../.env', import.meta.url)) },
      },
    }).values;
  } catch (error) {
    console.error(`${error.message}\n\n${usage}`);
    process.exit(2);
  }
}
