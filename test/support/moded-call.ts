/** A call of the batches of a test, as the ledger has it. */
export interface ModedCall {
  readonly step: string;
  readonly provider: string;
  readonly tier: string;
  readonly state: string;
  readonly settlement: string | null;
  readonly outcome: string | null;
  readonly request_kind: string;
  readonly cost_usd: string | null;
  readonly upper_bound_usd: string | null;
  readonly error_type: string | null;
  readonly attempts: number;
  readonly price_reference: string | null;
  readonly cascade_verdict: string | null;
  readonly cascade_usd: string | null;
}
