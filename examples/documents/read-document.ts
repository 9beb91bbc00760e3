import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';

/** The most bytes that are read of a document. */
export const maxDocumentBytes = 1_000_000;

/** Why a document is not read. Trying again would change nothing. */
export class DocumentRefused extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'DocumentRefused';
  }
}

/**
 * The text of a file within a folder. The name comes from a message, which anybody with a key may have sent, so nothing
 * outside is ever opened: not by an absolute path, by "..", by a link in the folder or by a device. Throws DocumentRefused.
 */
export async function readDocument(folder: string, file: string, signal?: AbortSignal): Promise<string> {
  if (file === '' || file.includes('\u0000')) throw new DocumentRefused('The name of the file is not valid.');
  const asked = resolve(folder, file);
  requireWithin(resolve(folder), asked);
  const path = await realpath(asked);
  requireWithin(await realpath(folder), path);
  // The last part is no link any more; one put in its place meanwhile is refused, and a pipe does not hold the reader up.
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const status = await handle.stat();
    if (!status.isFile()) throw new DocumentRefused('It is not a regular file.');
    if (status.size > maxDocumentBytes)
      throw new DocumentRefused(`It has ${status.size} bytes; at most ${maxDocumentBytes} are read.`);
    return await readBounded(handle, signal);
  } finally {
    await handle.close();
  }
}

/** A file may grow while it is read, and some claim to be empty: what counts is what comes. */
async function readBounded(
  handle: Awaited<ReturnType<typeof open>>,
  signal: AbortSignal | undefined,
): Promise<string> {
  const buffer = Buffer.alloc(maxDocumentBytes + 1);
  let length = 0;
  while (length < buffer.length) {
    signal?.throwIfAborted();
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
    if (bytesRead === 0) return buffer.toString('utf8', 0, length);
    length += bytesRead;
  }
  throw new DocumentRefused(`It has more than ${maxDocumentBytes} bytes.`);
}

function requireWithin(root: string, path: string): void {
  const way = relative(root, path);
  if (way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)) return;
  throw new DocumentRefused('It does not lie in the folder of documents.');
}
