/** A group of items, as far as it is known. */
export interface PlannedChunk {
  /** From 1. */
  readonly chunk: number;
  readonly firstPosition: number;
  readonly items: number;
  /** Of these, those that are left out. */
  readonly skipped: number;
}

export interface ChunkBounds {
  readonly items: number;
  readonly tokens: number;
}

interface OpenChunk {
  readonly chunk: number;
  readonly firstPosition: number;
  items: number;
  skipped: number;
  tokens: number;
}

/**
 * Puts items into chunks in the order in which they come: at most so many, and at most so many tokens; an item that has more by itself
 * is a chunk of its own. Chunks are kept until they are taken, so that items may be found to be left out until then.
 */
export class ChunkPlan {
  readonly #bounds: ChunkBounds;
  readonly #kept: OpenChunk[] = [];
  #count = 0;

  constructor(bounds: ChunkBounds) {
    this.#bounds = bounds;
  }

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /** The chunk of the next item. One that is left out uses no tokens. */
  place(position: number, tokens: number): number {
    const { items: maxItems, tokens: maxTokens } = this.#bounds;
    let last = this.#kept.at(-1);
    if (last === undefined || last.items >= maxItems || last.tokens + tokens > maxTokens) {
      this.#count += 1;
      last = { chunk: this.#count, firstPosition: position, items: 0, skipped: 0, tokens: 0 };
      this.#kept.push(last);
    }
    last.items += 1;
    last.tokens += tokens;
    return last.chunk;
  }

  /** Notes that an item of a chunk that was not taken yet is left out. */
  leaveOut(chunk: number): void {
    const found = this.#kept.find((kept) => kept.chunk === chunk);
    if (found !== undefined) found.skipped += 1;
  }

  /** The chunks whose items all stand before a position, which are then forgotten here. */
  takeBefore(position: number): readonly PlannedChunk[] {
    const next = this.#kept.findIndex(({ firstPosition, items }) => firstPosition + items > position);
    return this.#take(next === -1 ? this.#kept.length : next);
  }

  /** All chunks that are left: no item comes any more. */
  takeAll(): readonly PlannedChunk[] {
    return this.#take(this.#kept.length);
  }

  #take(count: number): readonly PlannedChunk[] {
    return this.#kept
      .splice(0, count)
      .map(({ chunk, firstPosition, items, skipped }) => ({ chunk, firstPosition, items, skipped }));
  }
}
