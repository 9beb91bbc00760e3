/*
 * Pins every image of docker-compose.yml and Dockerfile to the digest that its tag has now, by asking the registry through
 * `docker buildx imagetools`. A tag can be moved; a digest cannot. Run it where a registry can be reached, and look at
 * the difference before it is committed.
 *
 *   node scripts/pin-images.mjs            writes the digests
 *   node scripts/pin-images.mjs --check    exits with 1 when an image has none, without asking anybody
 *   node scripts/pin-images.mjs --folder <folder with both files>
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    folder: { type: 'string', default: fileURLToPath(new URL('..', import.meta.url)) },
  },
});
const digestForm = /^sha256:[0-9a-f]{64}$/;
// The project's own image is built, not fetched.
const composeImage = /^(\s+image: )(?!\$)([\w./-]+:[\w.-]+)(@sha256:[0-9a-f]{64})?$/gm;
const unpinned = [];

function digestOf(image) {
  const answer = execFileSync(
    'docker',
    ['buildx', 'imagetools', 'inspect', image, '--format', '{{.Manifest.Digest}}'],
    { encoding: 'utf8' },
  ).trim();
  if (!digestForm.test(answer)) throw new Error(`The registry gave no digest for ${image}: ${answer}`);
  return answer;
}

function pin(file, replace) {
  const path = join(values.folder, file);
  const before = readFileSync(path, 'utf8');
  const after = replace(before);
  if (!values.check && after !== before) writeFileSync(path, after);
}

pin('docker-compose.yml', (text) =>
  text.replace(composeImage, (line, head, image, digest) => {
    if (!values.check) return `${head}${image}@${digestOf(image)}`;
    if (digest === undefined) unpinned.push(image);
    return line;
  }),
);
pin('Dockerfile', (text) => {
  const version = /^ARG NODE_VERSION=(.+)$/m.exec(text)?.[1];
  return text.replace(/^ARG NODE_DIGEST=(.*)$/m, (line, digest) => {
    const image = `node:${version}-bookworm-slim`;
    if (!values.check) return `ARG NODE_DIGEST=@${digestOf(image)}`;
    if (!digestForm.test(digest.slice(1))) unpinned.push(image);
    return line;
  });
});

if (unpinned.length > 0) {
  console.error(
    `Without a digest: ${unpinned.join(', ')}. Run node scripts/pin-images.mjs where a registry is.`,
  );
  process.exitCode = 1;
}
