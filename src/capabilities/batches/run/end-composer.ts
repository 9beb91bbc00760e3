import { withDeclaredOutput } from '../../../engine/pipeline/pipeline-output.ts';
import type { StageRegistry } from '../../../engine/pipeline/stage-registry.ts';
import { AppError } from '../../../kernel/app-error.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import type { AnswerWaste } from '../../../engine/calls/answer-waste.ts';
import { hasEnded } from '../../../engine/ledger/message-state.ts';
import type { TreeMessage } from '../../../engine/ledger/tree-messages.ts';
import type { MessageBodies } from '../../../engine/pipeline/message-bodies.ts';
import { chunkKey, type ChunkRules, type EndingItem, type EndLedger, type ItemEnding } from './end-ledger.ts';
import { composeEnd, type EndedTree, type FailedPart, type SaidPart } from './item-end.ts';

/** What the pipeline says of one item, and of the items whose ends are composed at the same time, at most. */
const maxItemBytes = 4 * 1024 * 1024;
const maxGroupBytes = 16 * 1024 * 1024;
const maxGroupItems = 100;
const maxMessageLength = 2000;

/** A tree with what its end does not rest on. */
interface ReadTree extends EndedTree {
  /** Calls with answers whose places later ones took. */
  readonly unused: readonly Uuid[];
  /** A message of it is under way again. */
  readonly isOpen: boolean;
}

/** Composes the ends of items from their messages, a bounded part of them at a time, and records them. */
export class EndComposer {
  readonly #ledger: EndLedger;
  readonly #bodies: Pick<MessageBodies, 'read'>;
  readonly #waste: Pick<AnswerWaste, 'ofCalls'>;

  readonly #registry: Pick<StageRegistry, 'stages'>;

  constructor(
    ledger: EndLedger,
    bodies: Pick<MessageBodies, 'read'>,
    waste: Pick<AnswerWaste, 'ofCalls'>,
    registry: Pick<StageRegistry, 'stages'>,
  ) {
    this.#registry = registry;
    this.#ledger = ledger;
    this.#bodies = bodies;
    this.#waste = waste;
  }

  /** Answers the batches of which items have ended now. */
  async record(items: readonly EndingItem[], was: 'waiting' | 'running'): Promise<ReadonlySet<Uuid>> {
    const touched = new Set<Uuid>();
    for (const group of groupsOf(items)) {
      for (const batchId of await this.#ledger.record(await this.#compose(group, was))) touched.add(batchId);
    }
    return touched;
  }

  async #compose(items: readonly EndingItem[], was: 'waiting' | 'running'): Promise<readonly ItemEnding[]> {
    const rules = await this.#ledger.readRules(items);
    const trees = await this.#readTrees(items);
    const unused: Uuid[] = [];
    const endings = items.flatMap((item): readonly ItemEnding[] => {
      const ofChunk = rules.get(chunkKey(item));
      const tree = trees.get(item.messageId);
      // Its batch was deleted meanwhile, or another process has run the item again since it was found.
      if (ofChunk === undefined || tree?.isOpen === true) return [];
      const end = composeEnd({ id: item.itemId, position: item.position }, tree, rulesOf(ofChunk));
      if (end.state !== 'waiting') unused.push(...(tree?.unused ?? []));
      return [{ item, was, begun: ofChunk.begun, end }];
    });
    // Before the ends are recorded: whoever dies in between leaves it to the next composition, of the same answers.
    await this.#waste.ofCalls(unused);
    return endings;
  }

  async #readTrees(items: readonly EndingItem[]): Promise<ReadonlyMap<Uuid, ReadTree>> {
    const ids = items.map(({ messageId }) => messageId);
    const bytes = new Map(items.map((item) => [item.messageId, item.bytes]));
    const read = withDeclaredOutput(this.#registry, await this.#ledger.readTrees(ids));
    const messages = Map.groupBy(read, ({ rootId }) => rootId);
    const answers = Map.groupBy(await this.#ledger.readAnswers(ids), ({ rootId }) => rootId);
    const trees = new Map<Uuid, ReadTree>();
    for (const [rootId, parts] of messages) {
      const size = bytes.get(rootId) ?? 0;
      const failed = parts.flatMap((part) => (part.state === 'dead_lettered' ? [failedPart(part)] : []));
      const cancelled = parts.filter(({ state }) => state === 'cancelled').length;
      const got = answers.get(rootId) ?? [];
      const isTooLarge = size > maxItemBytes;
      // What is not shown is not read.
      const isShown = failed.length === 0 && cancelled === 0 && !isTooLarge;
      const { outputs, lost } = isShown ? await this.#outputsOf(parts) : { outputs: [], lost: [] };
      trees.set(rootId, {
        dead: [...failed, ...lost],
        cancelled,
        outputs,
        results: isShown ? resultsOf(parts) : [],
        answers: got.filter(({ isUsed }) => isUsed),
        unused: got.filter(({ isUsed, isBilled }) => !isUsed && isBilled).map(({ callId }) => callId),
        isOpen: parts.some(({ state }) => !hasEnded(state)),
        tooLargeBytes: isTooLarge ? size : undefined,
      });
    }
    return trees;
  }

  /** Throws when the payload store is away: the ends are composed later. What it has lost is lost. */
  async #outputsOf(
    parts: readonly TreeMessage[],
  ): Promise<{ readonly outputs: readonly SaidPart[]; readonly lost: readonly FailedPart[] }> {
    const outputs: SaidPart[] = [];
    const lost: FailedPart[] = [];
    for (const { hops, type, body } of parts) {
      if (body === undefined) continue;
      try {
        const json = body.kind === 'inline' ? body.json : JSON.stringify(await this.#bodies.read(body));
        outputs.push({ hops, name: type, json });
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== 'MILLRACE_PAYLOAD_MISSING') throw error;
        lost.push({ hops, stage: '', code: error.code, message: error.message, attempts: 0 });
      }
    }
    return { outputs, lost };
  }
}

function resultsOf(parts: readonly TreeMessage[]): readonly SaidPart[] {
  return parts.flatMap(({ hops, stage, result }) =>
    result === undefined ? [] : [{ hops, name: stage, json: result }],
  );
}

function rulesOf({ attempts, retries, batchState, cause }: ChunkRules): Parameters<typeof composeEnd>[2] {
  return {
    mayRetry: batchState !== 'cancelling' && attempts <= retries,
    cancelledAs: batchState === 'cancelling' && cause?.code === 'deadline' ? 'expired' : 'cancelled',
  };
}

function* groupsOf(items: readonly EndingItem[]): Generator<readonly EndingItem[]> {
  let group: EndingItem[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = Math.min(item.bytes, maxItemBytes);
    if (group.length > 0 && (group.length === maxGroupItems || bytes + size > maxGroupBytes)) {
      yield group;
      group = [];
      bytes = 0;
    }
    group.push(item);
    bytes += size;
  }
  if (group.length > 0) yield group;
}

function failedPart({ hops, stage, code, attempts, detail }: TreeMessage): FailedPart {
  return {
    hops,
    stage,
    code: code ?? 'MILLRACE_STAGE_FAILED',
    message: detail === undefined ? '' : messageOf(detail),
    attempts,
  };
}

/** What the first error of the account says. */
function messageOf(detail: string): string {
  const { chain } = JSON.parse(detail) as { readonly chain?: readonly { readonly message?: unknown }[] };
  const message = chain?.[0]?.message;
  return typeof message === 'string'
    ? message.slice(0, maxMessageLength).toWellFormed().replaceAll('\u0000', '\uFFFD')
    : '';
}
