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
} from './models/scripted-model.ts';
export { type RunMessage, type RunSpend, TestKit, type TestKitOptions, TestRun } from './testing/test-kit.ts';
