/* What the adapters expect of any provider. */

/** How far the provider's clock may be behind ours. */
export const clockSkewMs = 60 * 60 * 1000;

/** The longest line of results; a longer one is not read. */
export const maxLineBytes = 32 * 1024 * 1024;

/** How many batches or files are asked for at once. */
export const pageSize = 100;
