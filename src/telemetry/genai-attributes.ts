/*
 * Names of span attributes. The GenAI conventions of OpenTelemetry are still in development: their names stand
 * here and nowhere else. Prompts and answers are never attributes.
 */

/** Attributes of the GenAI semantic conventions. */
export const genAi = {
  operationName: 'gen_ai.operation.name',
  providerName: 'gen_ai.provider.name',
  requestModel: 'gen_ai.request.model',
  requestMaxTokens: 'gen_ai.request.max_tokens',
  responseModel: 'gen_ai.response.model',
  responseId: 'gen_ai.response.id',
  responseFinishReasons: 'gen_ai.response.finish_reasons',
  /** Cached tokens included. */
  inputTokens: 'gen_ai.usage.input_tokens',
  outputTokens: 'gen_ai.usage.output_tokens',
  cacheReadInputTokens: 'gen_ai.usage.cache_read.input_tokens',
  cacheCreationInputTokens: 'gen_ai.usage.cache_creation.input_tokens',
  reasoningOutputTokens: 'gen_ai.usage.reasoning.output_tokens',
  errorType: 'error.type',
  serverAddress: 'server.address',
} as const;

/** Millrace's own attributes: the origin, the message and the money, on every span. */
export const millraceAttributes = {
  team: 'millrace.origin.team',
  customer: 'millrace.origin.customer',
  feature: 'millrace.origin.feature',
  batch: 'millrace.origin.batch',
  pipeline: 'millrace.pipeline',
  stage: 'millrace.stage',
  messageId: 'millrace.message.id',
  rootId: 'millrace.message.root_id',
  parentId: 'millrace.message.parent_id',
  item: 'millrace.item',
  attempt: 'millrace.attempt',
  /** How often the message was handed out, this time included. */
  deliveries: 'millrace.deliveries',
  /** Of a run: completed, retry, parked, dead_lettered, cancelled, released, lease_expired. Of a sending: admitted, duplicate. */
  outcome: 'millrace.outcome',
  /** From when the message was due until a worker took it, in seconds. */
  queueWait: 'millrace.queue_wait_seconds',
  /** Of a run with so many that each begins a trace of its own. */
  emissions: 'millrace.emissions',
  parkReason: 'millrace.park.reason',
  parkedFor: 'millrace.park.for',
  delayMs: 'millrace.delay_ms',
  callId: 'millrace.call.id',
  step: 'millrace.step',
  fallbackFrom: 'millrace.fallback_from',
  /** The HTTP request that the call is a part of; absent for a request of its own. */
  sharedRequest: 'millrace.shared_request',
  /** Decimal text, dollars: of a call, absent when it is unpriced; of a run, the sum of its priced calls. */
  costUsd: 'millrace.cost_usd',
  priceReference: 'millrace.price.reference',
} as const;
