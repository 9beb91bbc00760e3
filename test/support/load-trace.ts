/*
 * A trace of real request sizes that tests may take: a CSV file with the columns TIMESTAMP, ContextTokens and GeneratedTokens, as the
 * Azure LLM inference traces of 2023 have them. They are not part of this repository.
 */

/** The file, where there is one. */
export const loadTraceFile = process.env['MILLRACE_LOAD_TRACE'];

if (loadTraceFile === undefined) {
  console.error('Skipped: tests over a real trace. Set MILLRACE_LOAD_TRACE to a file of request sizes.');
}
