import { describe, expect, it } from 'vitest';
import { admitDocuments } from '../../examples/documents/admit-documents.ts';
import { chooseModels } from '../../examples/documents/choose-models.ts';
import { DocumentsModule } from '../../examples/documents/documents.module.ts';
import { findDocuments, findPackageTexts } from '../../examples/documents/find-documents.ts';
import { DocumentFetched } from '../../examples/documents/messages.ts';
import type { ExampleModelChoice, ExamplePipeline } from '../../src/cli/demo/example-pipeline.ts';

describe('the example', () => {
  it('has what the demo loads of it', () => {
    // The compiler compares the types: the demo loads the compiled example without knowing them.
    const pipeline: ExamplePipeline = { admitDocuments, findDocuments, findPackageTexts, DocumentsModule };
    const choice: ExampleModelChoice = { chooseModels };
    for (const part of [...Object.values(pipeline), ...Object.values(choice)])
      expect(part).toBeTypeOf('function');
  });

  it('uses the providers whose keys are there, and the simulator without any', () => {
    const openai = 'openai/gpt-5-mini';
    const anthropic = 'anthropic/claude-haiku-4-5';
    const simulated = { summaryModel: openai, classificationModel: anthropic, isSimulated: true };
    expect(chooseModels({})).toEqual(simulated);
    expect(chooseModels({ OPENAI_API_KEY: '', ANTHROPIC_API_KEY: '' })).toEqual(simulated);
    expect(chooseModels({ OPENAI_API_KEY: 'k', ANTHROPIC_API_KEY: 'k' })).toEqual({
      ...simulated,
      isSimulated: false,
    });
    expect(chooseModels({ OPENAI_API_KEY: 'k' })).toEqual({
      summaryModel: openai,
      classificationModel: openai,
      isSimulated: false,
    });
    expect(chooseModels({ ANTHROPIC_API_KEY: 'k' })).toEqual({
      summaryModel: anthropic,
      classificationModel: anthropic,
      isSimulated: false,
    });
  });

  it('brings a fetched document of version 1 up to the title that version 2 has', () => {
    const read = DocumentFetched.upTo(2).read(1, { documentId: 'a', text: '\n---\n# A heading\ntext' });
    expect(read).toEqual({ documentId: 'a', text: '\n---\n# A heading\ntext', title: 'A heading' });
  });
});
