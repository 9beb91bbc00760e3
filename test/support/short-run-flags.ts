/**
 * For a process that ends after some seconds: optimising PGlite's code takes V8 more than a second of processor time and 300 MB. Most
 * commands do without of themselves.
 */
export const shortRunFlags = ['--no-wasm-tier-up', '--no-wasm-dynamic-tiering'];
