/*
 * Looks through the bytes of a JSON text before it is parsed: how deep it is nested, how many values it holds, and
 * where the elements of an outermost array lie. JSON.parse cannot be interrupted, and takes seconds and gigabytes for
 * some tens of megabytes of "[[],[],…]"; this look can be taken in slices, and what passes it is parsed within bounds.
 * It does not check the syntax, which the parser does.
 */

/** What one element of an outermost array that is split may be, or else the whole text. */
export interface JsonBounds {
  readonly maxDepth: number;
  readonly maxBytes: number;
  readonly maxValues: number;
  /** Members of objects: each name that differs from all others takes many times as long as a value. */
  readonly maxKeys: number;
}

/** The bound that a part breaks. */
export type JsonFault = 'depth' | 'bytes' | 'values' | 'keys';

/** A part of the text that is parsed by itself. */
export interface JsonPart {
  readonly start: number;
  readonly end: number;
  /** Why it is not to be parsed. */
  readonly fault: JsonFault | undefined;
  /** Where it is too deep: names of members and indexes from the part's value down to the first value too deep. */
  readonly deepPath?: readonly string[];
}

/** A level of nesting above the current byte. */
interface Level {
  readonly isArray: boolean;
  index: number;
  /** The name of the member, as a text of JSON with its quotes: from this byte to before that one. */
  keyStart: number;
  keyEnd: number;
}

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const openArray = 0x5b;
const closeArray = 0x5d;
const openObject = 0x7b;
const closeObject = 0x7d;
const spaces = new Set([0x20, 0x09, 0x0a, 0x0d]);
const maxLeadingSpaces = 4_096;
/** Of the name of a member in a path. */
const maxKeyBytes = 256;

export class JsonOutline {
  readonly #bytes: Uint8Array;
  readonly #bounds: JsonBounds;
  /** Whether the elements of an outermost array are parts by themselves. */
  readonly #splits: boolean;
  readonly #outerDepth: number;
  readonly #parts: JsonPart[] = [];
  #at = 0;
  #start = 0;
  #depth = 0;
  #values = 1;
  #keys = 0;
  #fault: JsonPart['fault'];
  readonly #levels: Level[] = [];
  #stringStart = 0;
  #deepPath: readonly string[] | undefined;
  #isInString = false;
  #hasEnded = false;

  constructor(bytes: Uint8Array, bounds: JsonBounds, isBatch: boolean) {
    this.#bytes = bytes;
    this.#bounds = bounds;
    // What begins with spaces for longer than this is no batch that anybody sends.
    const first = bytes.subarray(0, maxLeadingSpaces).findIndex((byte) => !spaces.has(byte));
    this.#splits = isBatch && bytes[first] === openArray;
    this.#at = this.#splits ? first + 1 : 0;
    this.#start = this.#at;
    this.#outerDepth = this.#splits ? 1 : 0;
    this.#depth = this.#outerDepth;
  }

  /** Whether the outermost value is an array whose elements are the parts. */
  get isSplit(): boolean {
    return this.#splits;
  }

  /** Whether the array that is split came to its end with nothing behind it. */
  get isWhole(): boolean {
    return this.#hasEnded || !this.#splits;
  }

  /** The parts that were found so far. */
  get parts(): readonly JsonPart[] {
    return this.#parts;
  }

  /** Looks at so many bytes more; true when there are none left. */
  advance(byteCount: number): boolean {
    const end = Math.min(this.#bytes.length, this.#at + byteCount);
    while (this.#at < end) this.#step(this.#bytes[this.#at] ?? 0);
    if (this.#at < this.#bytes.length) return false;
    if (!this.#splits && this.#parts.length === 0) this.#endPart();
    return true;
  }

  #step(byte: number): void {
    const at = this.#at;
    this.#at += 1;
    if (this.#hasEnded) {
      // Anything behind the end makes the text invalid.
      if (!spaces.has(byte)) this.#hasEnded = false;
      return;
    }
    if (this.#isInString) {
      if (byte === backslash) this.#at += 1;
      else if (byte === quote) this.#isInString = false;
      return;
    }
    switch (byte) {
      case quote:
        this.#isInString = true;
        this.#stringStart = at;
        return;
      case openArray:
      case openObject:
        this.#countValue();
        this.#open(byte === openArray);
        return;
      case closeArray:
      case closeObject:
        this.#depth -= 1;
        this.#levels.length = Math.max(0, Math.min(this.#levels.length, this.#depth - this.#outerDepth));
        if (this.#splits && this.#depth === 0) this.#endArray(at, byte);
        return;
      case colon:
        this.#keys += 1;
        this.#nameMember(at);
        if (this.#keys > this.#bounds.maxKeys) this.#fault ??= 'keys';
        return;
      case comma:
        if (this.#splits && this.#depth === 1) this.#endPart(at);
        else this.#nextValue();
        return;
      default:
    }
  }

  #open(isArray: boolean): void {
    this.#depth += 1;
    if (this.#depth > this.#bounds.maxDepth) {
      this.#fault ??= 'depth';
      this.#deepPath ??= this.#levels.map((level) => this.#placeIn(level));
      return;
    }
    this.#levels.push({ isArray, index: 0, keyStart: 0, keyEnd: 0 });
  }

  #nextValue(): void {
    this.#countValue();
    const level = this.#levels.at(-1);
    if (level !== undefined) level.index += 1;
  }

  #nameMember(colonAt: number): void {
    const level = this.#levels.at(-1);
    if (level === undefined || level.isArray) return;
    level.keyStart = this.#stringStart;
    level.keyEnd = colonAt;
  }

  #placeIn({ isArray, index, keyStart, keyEnd }: Level): string {
    if (isArray) return String(index);
    const key = this.#bytes.subarray(keyStart, Math.min(keyEnd, keyStart + maxKeyBytes));
    return memberName(new TextDecoder().decode(key).trim());
  }

  #countValue(): void {
    this.#values += 1;
    if (this.#values > this.#bounds.maxValues) this.#fault ??= 'values';
  }

  #endArray(at: number, byte: number): void {
    if (this.#parts.length > 0 || !this.#isBlank(at)) this.#endPart(at);
    this.#hasEnded = byte === closeArray;
  }

  /** Whether there is nothing between the last part and here. */
  #isBlank(end: number): boolean {
    for (let at = this.#start; at < end; at += 1) {
      if (!spaces.has(this.#bytes[at] ?? 0)) return false;
    }
    return true;
  }

  #endPart(end = this.#bytes.length): void {
    const start = this.#start;
    const fault = end - start > this.#bounds.maxBytes ? 'bytes' : this.#fault;
    const deepPath = fault === 'depth' ? this.#deepPath : undefined;
    this.#parts.push({ start, end, fault, ...(deepPath === undefined ? {} : { deepPath }) });
    this.#start = end + 1;
    this.#values = 1;
    this.#keys = 0;
    this.#fault = undefined;
    this.#deepPath = undefined;
  }
}

/** The name that the text of a JSON string says, or that text where it is cut off or no JSON. */
function memberName(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    return text;
  }
}
