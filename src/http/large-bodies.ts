/*
 * Routes whose bodies are larger than those of other operations: documents that somebody uploads. The door reads no more
 * than this of them, whatever the body says of itself.
 */

/** The most bytes of a body, by its route. */
export const largeBodyBytes: ReadonlyMap<string, number> = new Map([
  // A provider's bill, as texts in JSON.
  ['/v1/reconciliations', 8_388_608],
  // A thousand calls that happened elsewhere.
  ['/v1/usage', 4_194_304],
  ['/v1/usage/litellm', 4_194_304],
  ['/v1/traces', 4_194_304],
  // The data of a message.
  ['/v1/pipelines/:name/requests', 4_194_304],
]);
