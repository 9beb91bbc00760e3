import type { Span } from '@opentelemetry/api';
import type { AttributedCall } from '../ledger/attributed-call.ts';
import type { ModelTarget } from '../providers/provider-registry.ts';
import type { RequestBounds } from '../providers/request-bounds.ts';
import type { GatePass } from './call-gate.ts';
import type { CallLabels } from './model-metrics.ts';

/** A call that stands reserved in the ledger: whatever happens to its request, it is settled. */
export interface CallInFlight {
  readonly facts: AttributedCall;
  readonly target: ModelTarget<unknown>;
  readonly labels: CallLabels;
  /** What it can use at most, and what the provider can truly report. */
  readonly bounds: RequestBounds;
  /** Whether it was reserved with budgets. */
  readonly hasQuotas: boolean;
  /** The leave that the gates gave, which learn how the call ended. */
  readonly pass: GatePass | undefined;
  readonly span: Span | undefined;
}
