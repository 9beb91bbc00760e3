import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MillraceClient } from '../../src/client.ts';
import { createChatServer } from './chat-server.ts';
import { bundlePage, pageHtml } from './bundle-page.ts';

/* node examples/chat/serve.ts --key-file KEY [--millrace http://127.0.0.1:8080] [--port 3000] */

const { values } = parseArgs({
  options: {
    'key-file': { type: 'string' },
    millrace: { type: 'string', default: 'http://127.0.0.1:8080' },
    port: { type: 'string', default: '3000' },
  },
});
const keyFile = values['key-file'];
if (keyFile === undefined)
  throw new Error('--key-file names the file with an API key (requests:write, requests:read)');
const apiKey = (await readFile(keyFile, 'utf8')).trim();
const folder = join(import.meta.dirname, 'page');
const server = createChatServer({
  millrace: new MillraceClient({ baseUrl: values.millrace, apiKey }),
  origin: { team: 'support', customer: 'acme', feature: 'chat' },
  html: await pageHtml(folder),
  script: await bundlePage(folder),
});
server.once('error', (error) => {
  console.error(`The page cannot be served at port ${values.port}: ${error.message}. Another one: --port N`);
  process.exitCode = 1;
});
server.listen(Number(values.port), '127.0.0.1', () => {
  console.log(`The chat is at http://127.0.0.1:${values.port}/`);
});
