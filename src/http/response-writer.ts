/** What both of Nest's platforms offer to set the status and the headers of an answer. */
export interface ResponseWriter {
  status(code: number): unknown;
  header(name: string, value: string): unknown;
}
