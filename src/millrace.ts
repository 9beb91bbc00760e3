/*
 * Millrace's public face: everything a user imports from 'millrace'. Named exports only; what is not here is inside.
 */
export type { Fault } from './kernel/app-error.ts';
export { AppError } from './kernel/app-error.ts';
export { InvalidOutput, type InvalidOutputOptions } from './engine/invalid-output.ts';
export type { ErrorCode } from './host/error-codes.ts';
export { errorCodes } from './host/error-codes.ts';
export type { Duration } from './kernel/duration.ts';
export { addUsd, formatUsd, sumUsd, type Usd, usd } from './kernel/money.ts';
export type { Message, MessageEnvelope } from './messages/message.ts';
export type {
  AcceptedVersions,
  DefinedVersion,
  MessageType,
  MessageVersion,
} from './messages/message-type.ts';
export { defineMessage } from './messages/message-type.ts';
export type { Origin } from './messages/origin.ts';
export type { StandardSchema } from './messages/standard-schema.ts';
export type { AnswerToRead, ReadUsage, UsageReading } from './engine/providers/own-usage.ts';
export type { ProviderConfig } from './engine/providers/provider-config.ts';
export {
  BatchValidator,
  type ItemValidator,
  type ValidatedItem,
  type Validation,
} from './capabilities/batches/done/batch-validator.ts';
export type { DeadLetterService } from './capabilities/dead-letters/dead-letter-service.ts';
export type { MessageService } from './capabilities/message-operations/message-service.ts';
export type { MessageEnd, WaitOptions } from './capabilities/message-operations/message-waiter.ts';
export type { AdmissionReceipt, AdmitOptions } from './engine/pipeline/admissions.ts';
export type { Lane } from './engine/pipeline/lane.ts';
export type { MicroBatchOptions } from './engine/calls/micro-batch-settings.ts';
export type {
  CascadeStepOptions,
  DataOf,
  EventWait,
  EventWaitOptions,
  JoinOptions,
  EmbeddingStepOptions,
  StageContext,
  StageHandler,
  StepOptions,
} from './engine/pipeline/stage-context.ts';
export {
  definePipeline,
  type PipelineDefinition,
  type PipelineOptions,
} from './engine/pipeline/pipeline-definition.ts';
export {
  defineTrigger,
  type EventValue,
  type OriginRule,
  type TriggerDefinition,
  type TriggerOptions,
} from './engine/pipeline/trigger-definition.ts';
export type { SentEvent, TriggerService } from './capabilities/triggers/trigger-service.ts';
export type { Emitted } from './engine/pipeline/emitted.ts';
export type { Joined, JoinedBranch } from './engine/pipeline/joined.ts';
export type {
  InvalidOutputRetryOptions,
  MessageOf,
  RetryOptions,
  StageDefinition,
  StageOptions,
} from './engine/pipeline/stage-definition.ts';
export { defineStage } from './engine/pipeline/stage-definition.ts';
export { Stage } from './engine/pipeline/stage.decorator.ts';
export type { Logger } from './telemetry/logger.ts';
export type { Configuration, ConfigurationInput } from './host/configuration.ts';
export type { CallTotals } from './engine/ledger/call-ledger.ts';
export { createMillraceApp, type MillraceApp, type MillraceAppOptions } from './host/create-millrace-app.ts';
export type { HostStatus, MessageCounts } from './host/host-status.ts';
export { Millrace } from './host/millrace.ts';
export { MillraceHttpModule } from './host/millrace-http.module.ts';
export { MillraceQueuesModule } from './host/millrace-queues.module.ts';
export { MillraceModule, type MillraceModuleOptions } from './host/millrace.module.ts';
