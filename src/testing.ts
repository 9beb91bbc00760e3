/*
 * The test kit: what a user imports from 'millrace/testing' to test stages without a server, a network or a bill.
 */
export {
  refusal,
  type Script,
  type ScriptedAnswer,
  ScriptedEmbeddingModel,
  ScriptedModel,
  type ScriptedUsage,
} from './testing/scripted-model.ts';
export { TestKit, type TestKitOptions } from './testing/test-kit.ts';
export { type RunCall, type RunMessage, type RunSpend, TestRun } from './testing/test-run.ts';
