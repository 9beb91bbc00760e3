import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';

/*
 * Settings of the JavaScript engine for a process that runs for seconds. V8 reads these flags when it compiles a module
 * of WebAssembly and when it enlarges its heap, so they hold although the engine is up.
 *
 * Optimising PostgreSQL's interpreter of expressions, one function of 105 KB, takes V8 600 MB and more than a second of
 * processor time, right after PGlite was opened. Code that is not optimised needs up to twice the processor time for a
 * stage, so `millrace start` keeps the optimising compiler: it pays off after some thousand stages.
 */
const shortRunFlags = [
  '--no-wasm-tier-up',
  '--no-wasm-dynamic-tiering',
  // The young generation stays at about 17 MB; it would grow to 130 MB.
  '--semi-space-growth-factor=1',
  // The old one is collected when it has grown by half since the last time.
  '--heap-growing-percent=50',
];

/** Makes V8 take less memory in exchange for the speed of a long run. To be called before PGlite is opened. */
export function preferShortRun(): void {
  for (const flag of shortRunFlags) setFlagsFromString(flag);
}

/**
 * Keeps compiled code of what is imported from here on in the user's cache directory, where the next start finds it.
 * NODE_COMPILE_CACHE and NODE_DISABLE_COMPILE_CACHE have their ordinary meaning. Without a directory that can be written
 * everything is compiled anew.
 */
export function keepCompiledCode(
  environment: Readonly<Record<string, string | undefined>>,
  homeDirectory: string,
): void {
  if (environment['NODE_COMPILE_CACHE'] !== undefined) return;
  // The directory belongs to this user alone: cached code is run as it is found, which /tmp would leave to others.
  const caches = environment['XDG_CACHE_HOME'] || join(homeDirectory, '.cache');
  enableCompileCache(join(caches, 'millrace', 'compiled'));
}
