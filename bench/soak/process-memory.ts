import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What the memory of this process is made of. Bytes. */
export interface ProcessMemory {
  readonly rss: number;
  /** Pages of files that are mapped, libraries above all: they grow as more of their code is used, and can be dropped. */
  readonly mappedFiles: number;
  /** What the engine holds for JavaScript objects, garbage and room for more included. */
  readonly heapTotal: number;
  /** Memories of WebAssembly modules: PGlite's. They never shrink. */
  readonly wasm: number;
  readonly arrayBuffers: number;
  /** The rest: the allocators of native code (Node's own, chDB's), stacks, compiled code, pages that the engine keeps free. */
  readonly native: number;
}

/** Reads it, and changes nothing. */
export function readProcessMemory(): ProcessMemory {
  const { rss, heapTotal, external, arrayBuffers } = process.memoryUsage();
  const mappedFiles = readMappedFiles();
  const native = rss - mappedFiles - heapTotal - external;
  return { rss, mappedFiles, heapTotal, wasm: external - arrayBuffers, arrayBuffers, native };
}

let collect: (() => void) | undefined;

/** The bytes of JavaScript objects that are left after a full collection, which stops the process for as long as it takes. */
export function readReachableBytes(): number {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
  return process.memoryUsage().heapUsed;
}

/** Linux only; 0 elsewhere. */
function readMappedFiles(): number {
  if (process.platform !== 'linux') return 0;
  const kibibytes = /^RssFile:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return Number(kibibytes ?? 0) * 1024;
}
