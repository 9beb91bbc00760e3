/** A request that the OpenAPI document lets one make, and that succeeds. */
export interface GoodRequest {
  /** The values of the parameters in the path. */
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Default application/json. */
  readonly mediaType?: string;
  readonly accept?: string;
}

export type Preparation = () => Promise<readonly [GoodRequest, ...GoodRequest[]]>;
