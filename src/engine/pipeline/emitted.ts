/** A message that a handler has emitted, for `ctx.join`. */
export interface Emitted {
  readonly type: string;
}
