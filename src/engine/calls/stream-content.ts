import type {
  LanguageModelV4Content,
  LanguageModelV4ResponseMetadata,
  LanguageModelV4StreamPart,
  SharedV4Warning,
} from '@ai-sdk/provider';

type Block = Extract<LanguageModelV4Content, { type: 'text' | 'reasoning' }>;

/** Puts the parts of a streamed answer together again, as the answer would have come whole. */
export class StreamContent {
  readonly #content: LanguageModelV4Content[] = [];
  /** Where the open text and reasoning blocks stand in the content. */
  readonly #blocks = new Map<string, { readonly index: number; block: Block }>();
  /** Arguments of tool calls that are not complete. */
  readonly #toolInputs = new Map<string, string>();
  #warnings: readonly SharedV4Warning[] = [];
  #response: LanguageModelV4ResponseMetadata = {};

  get content(): readonly LanguageModelV4Content[] {
    return this.#content;
  }

  get warnings(): readonly SharedV4Warning[] {
    return this.#warnings;
  }

  get response(): LanguageModelV4ResponseMetadata {
    return this.#response;
  }

  /** The arguments of tool calls that had begun and never became whole. */
  get unfinishedText(): string {
    return [...this.#toolInputs.values()].join('\n');
  }

  /** Takes a part in. True when it is a part of the answer itself, not about the answer. */
  add(part: LanguageModelV4StreamPart): boolean {
    switch (part.type) {
      case 'stream-start':
        this.#warnings = part.warnings;
        return false;
      case 'response-metadata': {
        const { type: _type, ...response } = part;
        this.#response = { ...this.#response, ...response };
        return false;
      }
      case 'text-start':
      case 'reasoning-start':
        this.#begin(part);
        return true;
      case 'text-delta':
      case 'reasoning-delta':
        this.#append(part);
        return true;
      case 'text-end':
      case 'reasoning-end':
        this.#end(part);
        return true;
      case 'tool-input-start':
        this.#toolInputs.set(part.id, `${part.toolName} `);
        return true;
      case 'tool-input-delta':
        this.#toolInputs.set(part.id, (this.#toolInputs.get(part.id) ?? '') + part.delta);
        return true;
      case 'tool-input-end':
        return true;
      case 'ping':
      case 'raw':
      case 'error':
      case 'finish':
        return false;
      case 'tool-call':
        this.#toolInputs.delete(part.toolCallId);
        this.#content.push(part);
        return true;
      case 'tool-result':
      case 'tool-approval-request':
      case 'custom':
      case 'file':
      case 'reasoning-file':
      case 'source':
        this.#content.push(part);
        return true;
    }
  }

  #begin(part: Extract<LanguageModelV4StreamPart, { type: 'text-start' | 'reasoning-start' }>): void {
    const metadata = part.providerMetadata === undefined ? {} : { providerMetadata: part.providerMetadata };
    const block: Block = { type: part.type === 'text-start' ? 'text' : 'reasoning', text: '', ...metadata };
    this.#blocks.set(keyOf(part), { index: this.#content.length, block });
    this.#content.push(block);
  }

  #append(part: Extract<LanguageModelV4StreamPart, { type: 'text-delta' | 'reasoning-delta' }>): void {
    const open = this.#blocks.get(keyOf(part));
    if (open === undefined) return;
    const metadata = part.providerMetadata === undefined ? {} : { providerMetadata: part.providerMetadata };
    this.#replace(open, { ...open.block, ...metadata, text: open.block.text + part.delta });
  }

  #end(part: Extract<LanguageModelV4StreamPart, { type: 'text-end' | 'reasoning-end' }>): void {
    const open = this.#blocks.get(keyOf(part));
    if (open === undefined) return;
    this.#blocks.delete(keyOf(part));
    this.#replace(open, {
      ...open.block,
      ...(part.providerMetadata === undefined ? {} : { providerMetadata: part.providerMetadata }),
      ...(part.type === 'text-end' && part.citations !== undefined ? { citations: part.citations } : {}),
    });
  }

  #replace(open: { readonly index: number; block: Block }, block: Block): void {
    open.block = block;
    this.#content[open.index] = block;
  }
}

function keyOf({ type, id }: { readonly type: string; readonly id: string }): string {
  return `${type.slice(0, 4)} ${id}`;
}
